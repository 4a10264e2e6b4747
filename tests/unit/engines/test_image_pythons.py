"""A Python that this machine lacks is the CPython of an image for this machine, without a container."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.engines.facts import Facts
from crosswheel.engines.image_pythons import fetch_python, with_image_pythons
from crosswheel.errors import MissingTool
from crosswheel.images.store import ensure_unpacked
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag, architectures
from layer_files import Member, gzipped, image, layer
from registry_server import RegistryServer, registry_server
from tiny_projects import tiny_facts, tiny_host

HERE = PythonTag(sys.version_info[1])
OTHER = PythonTag(9)


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    """Has an image with a CPython that starts here, and one that does not, laid out as in pypa's."""
    with registry_server() as server:
        folder = f"opt/_internal/cpython-{HERE.version}.9/bin"
        script = f'#!/bin/sh\nexec {sys._base_executable} "$@"\n'  # type: ignore[attr-defined]
        members = (
            Member(f"{folder}/python", script.encode(), mode=0o755),
            Member("opt/_internal/cpython-3.9.9/bin/python", b"\x7fELF", mode=0o755),
            Member(f"opt/python/{HERE}-{HERE}", link=f"/opt/_internal/cpython-{HERE.version}.9"),
            Member(f"opt/python/{OTHER}-{OTHER}", link="/opt/_internal/cpython-3.9.9"),
        )
        server.add("pypa/x:1", image([gzipped(layer(*members))], "amd64"))
        yield server


def lacking(folder: Path, server: RegistryServer) -> tuple[Config, Facts]:
    """A machine without any CPython, and without a way for uv to fetch one."""
    table = f'[tool.crosswheel.images]\nmanylinux2014_x86_64 = "{server.host}/pypa/x:1"\n'
    (folder / "pyproject.toml").write_text(table)
    host = replace(tiny_host(folder), interpreters={})
    host = replace(host, environ={**host.environ, "UV_OFFLINE": "1", "UV_PYTHON_INSTALL_DIR": str(folder / "uv")})
    return load_config(folder, {"arch": ["aarch64"], "policy": "manylinux2014"}), tiny_facts(host)


def test_it_is_fetched_where_uv_can_fetch_none(registry: RegistryServer, tmp_path: Path) -> None:
    config, facts = lacking(tmp_path, registry)
    found = fetch_python(HERE, config, facts, deaf)
    assert (found.tag, found.headers) == (HERE, True)
    assert found.path.is_relative_to(tmp_path / "cache" / "images")


def test_later_runs_know_it_without_being_told(registry: RegistryServer, tmp_path: Path) -> None:
    config, facts = lacking(tmp_path, registry)
    assert with_image_pythons(config, facts).host.interpreters == {}
    ensure_unpacked(
        facts.host.cache,
        f"{registry.host}/pypa/x:1",
        architectures()["x86_64"],
        mirrors=(),
        offline=False,
        listener=deaf,
    )
    asked = len(registry.seen)
    assert list(with_image_pythons(config, facts).host.interpreters) == [HERE]
    assert len(registry.seen) == asked


def test_this_machines_own_comes_first(registry: RegistryServer, tmp_path: Path) -> None:
    config, facts = lacking(tmp_path, registry)
    fetch_python(HERE, config, facts, deaf)
    own = tiny_host(tmp_path).interpreters
    facts = facts.with_interpreters(own)
    assert with_image_pythons(config, facts).host.interpreters[HERE] == own[HERE]


def test_one_that_does_not_start_here_is_told_with_both_reasons(registry: RegistryServer, tmp_path: Path) -> None:
    config, facts = lacking(tmp_path, registry)
    with pytest.raises(MissingTool) as caught:
        fetch_python(OTHER, config, facts, deaf)
    assert caught.value.message.startswith("no CPython for cp39 on this machine, and uv could not download one: ")
    assert caught.value.message.endswith("/pypa/x:1 has no CPython for cp39 that runs on this machine")
