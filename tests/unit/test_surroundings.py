"""Odd inputs and odd machines: pipes, devices, archives of two kinds, folders for temporary files, unreadable folders.

Each ends with an error that says what is wrong, with its own exit code, soon, and without a traceback.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bad_archives import Spoil, after, before, one_by_one
from console import console
from crosswheel.auditing.run import audit_wheel
from crosswheel.errors import AuditFailed, SourceError, UsageError
from crosswheel.formats.sdists import member_names, read_sdist
from crosswheel.formats.zips import open_archive
from crosswheel.reporting.document import write_json
from crosswheel.system.interpreters import find_interpreters
from crosswheel.system.process import Processes
from crosswheel.system.scratch import check_temporary_folder
from crosswheel.testing import tiny_wheel

START = [sys.executable, "-c", "from crosswheel.tasks import main; main()"]
PKG_INFO = b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"


def run(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CROSSWHEEL_CACHE": str(folder / "cache"), **more}
    return subprocess.run(
        [*START, *words], cwd=folder, env=environ, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


# ---- pipes and devices ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["audit", "a-1-py3-none-any.whl"], 9, "it is not a file but a pipe, a socket or a device"),
        (["check", "a-1-py3-none-any.whl"], 20, "a-1-py3-none-any.whl is not a file"),
        (["plan", "a-1.tar.gz"], 4, "a-1.tar.gz is not a file but a folder, a pipe, a socket or a device"),
        (["audit", "good-1.0-py3-none-any.whl", "a-1.tar.gz"], 9, "a pipe, a socket or a device"),
    ],
)
def test_pipes_are_not_waited_for(words: list[str], code: int, reason: str, tmp_path: Path) -> None:
    tiny_wheel(tmp_path, name="good", members={"good.py": b""})
    for name in ("a-1-py3-none-any.whl", "a-1.tar.gz"):
        os.mkfifo(tmp_path / name)
    done = console(tmp_path, *words)
    assert done.returncode == code
    assert reason in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_devices_are_not_read(tmp_path: Path) -> None:
    for name, read in (("a-1-py3-none-any.whl", audit_wheel), ("a-1.tar.gz", member_names)):
        (tmp_path / name).symlink_to("/dev/zero")
        with pytest.raises((AuditFailed, SourceError), match="a pipe, a socket or a device"):
            read(tmp_path / name)


def test_a_document_goes_into_a_device_and_not_into_its_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match=r"cannot write .*/pipe: No such device or address"):
        write_json(pipe, {})
    number = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_json(pipe, {"a": 1})
    assert os.read(number, 100) == b'{\n  "a": 1\n}\n'
    os.close(number)
    assert pipe.is_fifo()


# ---- archives of two kinds ------------------------------------------------------------------------------------------


def other_zip(path: Path) -> None:
    """Another archive before this one, which a reader from the front would take."""
    other = zipped(path.with_suffix(".zip"), {"evil.py": b"evil"})
    before(other.read_bytes())(path)


def tar_before(path: Path) -> None:
    before(tar(path.with_suffix(".tar"), {"evil.py": b"evil"}).read_bytes())(path)


def other_zip_behind(path: Path) -> None:
    after(zipped(path.with_suffix(".zip"), {"evil.py": b"evil"}).read_bytes())(path)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (other_zip, "bytes before the archive"),
        (tar_before, "bytes before the archive"),
        (before(b"#!/bin/sh\n"), "10 bytes before the archive"),
        (one_by_one(before(b"#!/bin/sh\n"), after(b"more")), "4 bytes after the archive"),
    ],
)
def test_a_wheel_that_is_something_else_too_is_doubtful(spoil: Spoil, found: str, tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, members={"tiny.py": b""})
    spoil(path)
    assert any(found in doubt.found for doubt in open_archive(path).doubts)
    assert "W506" in {finding.rule for finding in audit_wheel(path)}


def test_two_directories_one_behind_the_other(tmp_path: Path) -> None:
    """The later is read, as by every installer, and the archive is none of its own."""
    path = tiny_wheel(tmp_path, members={"tiny.py": b""})
    other_zip_behind(path)
    with pytest.raises(AuditFailed, match=r"has no \.dist-info folder"):
        audit_wheel(path)


def test_an_sdist_is_what_its_name_says(tmp_path: Path) -> None:
    path = tar(tmp_path / "tiny-1.0.tar.gz", {"tiny-1.0/PKG-INFO": PKG_INFO})
    assert read_sdist(path).name == "tiny"
    other = zipped(tmp_path / "evil.zip", {"evil-1.0/PKG-INFO": PKG_INFO.replace(b"tiny", b"evil")})
    after(other.read_bytes())(path)
    with pytest.raises(SourceError, match="it can also be read as a zip archive with other files"):
        read_sdist(path)
    path = zipped(tmp_path / "tiny-1.0.zip", {"tiny-1.0/PKG-INFO": PKG_INFO})
    assert read_sdist(path).name == "tiny"
    before(gzip.compress(tar(tmp_path / "evil.tar", {"evil-1.0/PKG-INFO": PKG_INFO}).read_bytes()))(path)
    with pytest.raises(SourceError, match=r"it can be read in more than one way: .* bytes before the archive"):
        read_sdist(path)
    path = tmp_path / "tiny-2.0.zip"
    path.write_bytes(tar(tmp_path / "a.tar.gz", {"tiny-1.0/PKG-INFO": PKG_INFO}).read_bytes())
    with pytest.raises(SourceError, match="cannot be read"):
        read_sdist(path)


# ---- folders --------------------------------------------------------------------------------------------------------


def test_a_long_folder_for_temporary_files_is_named(tmp_path: Path) -> None:
    """Wheels are audited in processes, which begin with a socket there."""
    for name in ("one", "two"):
        tiny_wheel(tmp_path, name=name, members={f"{name}.py": b""})
    folder = tmp_path / ("a" * 100)
    folder.mkdir()
    done = run(tmp_path, "audit", ".", "--jobs", "2", TMPDIR=str(folder))
    assert done.returncode in {0, 2}  # newer Pythons take another folder themselves
    if done.returncode:
        assert done.stderr.startswith("crosswheel: TMPDIR is too long for a socket in it")
    assert run(tmp_path, "audit", ".", "--jobs", "1", TMPDIR=str(folder)).returncode == 0


@pytest.mark.parametrize("name", ["a b", "a'b", "a:b", "a$b", "a\nb"])
def test_builds_do_not_begin_where_compilers_cannot_be_named(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "1.0"\n')
    done = console(tmp_path, "wheels", TMPDIR=str(folder))
    assert done.returncode == 2
    assert done.stderr.startswith("crosswheel: TMPDIR: ")
    assert f"contains {name[1]!r}, at which build tools split paths" in done.stderr
    assert "\n  try: TMPDIR=/var/tmp crosswheel ..." in done.stderr


def test_nor_where_paths_get_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path.joinpath(*["a" * 250] * 12)
    folder.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(UsageError, match=r"^TMPDIR: .* is longer than \d+ bytes"):
        check_temporary_folder()


def test_nor_where_programs_may_not_be_started(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    private = [
        "unshare",
        "--mount",
        "sh",
        "-ec",
        'mount -t tmpfs -o noexec tmpfs "$0"; shift 0; exec "$@"',
        str(folder),
    ]
    if subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a private mount namespace needs root and the program unshare")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "1.0"\n')
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)}
    done = subprocess.run(
        [*private, *START, "wheels"], cwd=tmp_path, env=environ, capture_output=True, encoding="utf-8", timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"crosswheel: TMPDIR: {folder} is mounted noexec, and builds start compilers")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not read a folder")
def test_pythons_that_cannot_be_read_are_not_passed_over(tmp_path: Path) -> None:
    root = tmp_path / "pyenv"
    (root / "versions").mkdir(parents=True)
    (root / "versions").chmod(0o700)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            find_interpreters(Processes(), {"PYENV_ROOT": str(root), "PATH": ""})
        except UsageError as error:
            os.write(write, error.message.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with open(read) as told:  # noqa: PTH123
        assert told.read() == f"PYENV_ROOT: {root}/versions cannot be read: Permission denied"


def test_a_pyenv_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "pyenv").touch()
    with pytest.raises(UsageError, match=r"^PYENV_ROOT: .*/pyenv/versions cannot be read: Not a directory"):
        find_interpreters(Processes(), {"PYENV_ROOT": str(tmp_path / "pyenv"), "PATH": ""})
    # One that was removed is nothing to read.
    find_interpreters(Processes(), {"PYENV_ROOT": str(tmp_path / "gone"), "PATH": "", "HOME": str(tmp_path)})
