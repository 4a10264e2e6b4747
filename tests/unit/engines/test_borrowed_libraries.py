"""An image's CPython on a machine without the libraries of the image's distribution."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crosswheel.engines.borrowed_libraries import copy_libraries, missing_libraries
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes

# Its ctypes needs libffi, which needs another library; libtk is nowhere.
_PYTHON = """\
#!/bin/sh
if ! [ -e "$LD_LIBRARY_PATH/libffi.so.6" ]; then echo '["libffi.so.6", "libtk8.6.so"]'
elif ! [ -e "$LD_LIBRARY_PATH/libinner.so.1" ]; then echo '["libinner.so.1", "libtk8.6.so"]'
else echo '["libtk8.6.so"]'; fi
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image's files: links lead to the libraries, one of them outside."""
    folder = tmp_path / "root"
    for name in ("opt/_internal/openssl-3.5/lib", "usr/lib64", "bin"):
        (folder / name).mkdir(parents=True)
    (folder / "lib64").symlink_to("usr/lib64")
    (folder / "usr/lib64/libffi.so.6.0.2").write_bytes(b"ffi")
    (folder / "usr/lib64/libffi.so.6").symlink_to("libffi.so.6.0.2")
    (folder / "opt/_internal/openssl-3.5/lib/libinner.so.1").write_bytes(b"inner")
    (tmp_path / "libtk8.6.so").write_bytes(b"of this machine")
    (folder / "usr/lib64/libtk8.6.so").symlink_to(tmp_path / "libtk8.6.so")
    (folder / "bin/python").write_text(_PYTHON)
    (folder / "bin/python").chmod(0o755)
    return folder


def test_libraries_of_libraries_are_found_and_copied(root: Path, tmp_path: Path) -> None:
    found = missing_libraries(root / "bin/python", root, Processes(), os.environ, Answers())
    assert [path.name for path in found] == ["libffi.so.6", "libinner.so.1"]
    assert copy_libraries(found, tmp_path / "copies") == {"LD_LIBRARY_PATH": str(tmp_path / "copies")}
    contents = {path.name: path.read_bytes() for path in (tmp_path / "copies").iterdir()}
    assert contents == {"libffi.so.6": b"ffi", "libinner.so.1": b"inner"}


@pytest.mark.parametrize("does", ["kill -SEGV $$", "echo no JSON", "exit 0"])
def test_an_interpreter_that_cannot_tell_borrows_nothing(does: str, root: Path) -> None:
    (root / "bin/python").write_text(f"#!/bin/sh\n{does}\n")
    assert missing_libraries(root / "bin/python", root, Processes(), os.environ, Answers()) == ()


def test_without_a_missing_library_nothing_is_set(tmp_path: Path) -> None:
    assert copy_libraries((), tmp_path / "copies") == {}
    assert not (tmp_path / "copies").exists()
