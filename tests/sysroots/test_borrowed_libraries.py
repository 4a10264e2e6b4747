"""The CPython of an older distribution runs here with the libraries of its own, also for a build."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from containers.stand_ins.opt_python import debian_python
from crosswheel.engines.borrowed_libraries import copy_libraries, missing_libraries
from crosswheel.engines.cross import Cross
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.errors import EngineUnavailable
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Job, deaf
from crosswheel.model.targets import parse_target
from crosswheel.system.interpreters import interpreter_at
from crosswheel.system.local_host import local_host
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes
from debian import DebianUnavailable
from tiny_projects import tiny_sdist

pytestmark = [pytest.mark.debian, pytest.mark.skipif(platform.machine() != "x86_64", reason="its programs are x86_64")]

TELL = "import ctypes, decimal, ssl, zlib; print(ctypes.sizeof(ctypes.c_long), ssl.OPENSSL_VERSION)"
TOLD = "8 OpenSSL 1.1.1"  # Debian 11's


@pytest.fixture(scope="module")
def root(debian_cache: Path) -> Path:
    """Debian 11, with CPython 3.9."""
    try:
        return debian_python("x86_64", 9, debian_cache)
    except DebianUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def python(root: Path) -> Path:
    return root / "usr/bin/python3.9"


@pytest.fixture(scope="module")
def lent(root: Path, python: Path) -> tuple[Path, ...]:
    return missing_libraries(python, root, Processes(), os.environ, Answers())


def test_its_extension_modules_import(python: Path, lent: tuple[Path, ...], tmp_path: Path) -> None:
    environ = {**os.environ, **copy_libraries(lent, tmp_path / "lent")}
    said = subprocess.run([python, "-I", "-c", TELL], env=environ, capture_output=True, text=True, check=True).stdout
    assert said.startswith(TOLD)


def test_they_import_in_the_environment_of_a_cross_build(
    python: Path, lent: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the sandbox, too, where the kernel allows one."""
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    interpreter = interpreter_at(python, Processes(), os.environ)
    assert interpreter
    job = Job(parse_target("cp39-manylinux2014_aarch64"), "cross", replace(interpreter, borrowed=lent))
    config, log = load_config(tmp_path, {"arch": ["aarch64"]}), tmp_path / "log"
    facts = Facts(local_host(offline=False, listener=deaf), EngineUnavailable("not wanted here"))
    sdist, folder = tiny_sdist("compiles", tmp_path), tmp_path / "job"
    with Cross().open(job, sdist, config, Services(facts), folder, log, bare=True) as workspace:
        workspace.run_hook([str(workspace.python), "-c", TELL])
    assert TOLD in log.read_text()
