"""ctypes.util.find_library in a build: of the target's libraries, which the compiler knows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crosswheel.toolchains.startup import IMPERSONATE, startup_files

_CC = """\
#!/bin/sh
case $1 in
-print-file-name=libthere.so) echo {folder}/libthere.so ;;
*) echo "${{1#*=}}" ;;
esac
"""


def found(folder: Path, name: str) -> str:
    """What find_library says of a library."""
    for path, content in startup_files(IMPERSONATE).items():
        (folder / "packages" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "packages" / path).write_bytes(content)
    told = {"vars": {}, "platform": "linux-aarch64", "multiarch": "aarch64-linux-gnu", "machine": "aarch64"}
    (folder / "target.json").write_text(json.dumps(told))
    (folder / "libthere.so").touch()
    (folder / "cc").write_text(_CC.format(folder=folder))
    (folder / "cc").chmod(0o755)
    for other in ("gcc", "ld"):  # a build finds the target's under all names
        (folder / other).symlink_to("cc")
    code = "import _crosswheel.impersonate as i; i.main(); from ctypes.util import find_library as f; print(f"
    environ = {
        "CROSSWHEEL_TARGET": str(folder / "target.json"),
        "PYTHONPATH": str(folder / "packages"),
        "PATH": f"{folder}:/usr/bin:/bin",
        "CC": str(folder / "cc"),
    }
    command = [sys.executable, "-S", "-c", f"{code}({name!r}))"]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def test_a_library_of_the_target_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, "there") == "libthere.so"


@pytest.mark.parametrize("name", ["z", "bz2", "nowhere"])
def test_this_machines_are_not(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, name) == "None"


def test_the_c_library_is_on_every_machine(tmp_path: Path) -> None:
    assert found(tmp_path, "c").startswith("libc.")
