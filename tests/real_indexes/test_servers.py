"""The indexes are real: twine uploads to them, pip installs from them, and a password is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from real_indexes.clients import pip_install, sdist, sha256, twine, wheel
from real_indexes.servers import Served

pytestmark = pytest.mark.real_indexes


def hashes(served: Served, folder: Path) -> dict[str, str]:
    files = Index(PipSettings(index_url=served.simple_url), folder).files_of("tiny")
    return {file.filename: (file.digests or {})["sha256"] for file in files}


def test_what_twine_uploads_is_listed_and_installed_by_pip(served: Served, tmp_path: Path) -> None:
    files = [wheel(tmp_path, "answer = 42"), sdist(tmp_path)]
    uploaded = twine(served, *files)
    assert uploaded.returncode == 0, uploaded.stdout + uploaded.stderr
    assert hashes(served, tmp_path) == {path.name: sha256(path) for path in files}
    installed = pip_install(served, tmp_path / "installed")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert (tmp_path / "installed" / "tiny.py").read_text() == "answer = 42"


def test_a_new_index_has_nothing_of_the_last(served: Served, tmp_path: Path) -> None:
    installed = pip_install(served, tmp_path / "installed")
    assert installed.returncode != 0
    assert "No matching distribution found for tiny" in installed.stderr


def test_a_wrong_password_is_refused(served: Served, tmp_path: Path) -> None:
    uploaded = twine(replace(served, password=served.password[::-1]), wheel(tmp_path))
    assert uploaded.returncode != 0
    assert "403" in uploaded.stdout + uploaded.stderr or "401" in uploaded.stdout + uploaded.stderr
    assert pip_install(served, tmp_path / "installed").returncode != 0


def test_other_bytes_under_the_same_name_are_refused(served: Served, tmp_path: Path) -> None:
    first = wheel(tmp_path, "first")
    digest = sha256(first)
    assert twine(served, first).returncode == 0
    refused = twine(served, wheel(tmp_path, "second"))
    assert refused.returncode != 0
    # pypiserver tells twine 400, as the public index does.
    assert ("400" if served.kind == "pypiserver" else "409") in refused.stdout + refused.stderr
    assert hashes(served, tmp_path) == {first.name: digest}
