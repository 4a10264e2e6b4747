"""Programs for another machine that Pythons of a build start: noted, whatever the build makes of the failure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crosswheel.toolchains.startup import note_unrun, startup_files

# The head of an ELF file for AArch64 (elf(5)): class, byte order and version; type; machine.
ARM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + b"\xb7\x00" + bytes(44)


def noted(folder: Path, code: str, target: str = "/target.json") -> list[str]:
    """The programs that a Python which runs `code` in `folder` notes."""
    for name in ("sniff", "libarm.so"):
        (folder / name).write_bytes(ARM)
        (folder / name).chmod(0o755)
    for name, content in startup_files(note_unrun(folder / "notes")).items():
        (folder / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "packages" / name).write_bytes(content)
    code = f"import _crosswheel.unrun as u; u.main({str(folder / 'notes')!r})\nimport ctypes, os, subprocess\n{code}"
    environ = {"CROSSWHEEL_TARGET": target, "PYTHONPATH": str(folder / "packages"), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-S", "-c", code], cwd=folder, env=environ, check=True, capture_output=True)
    notes = folder / "notes"
    return [json.loads(line)["program"] for line in notes.read_text().splitlines()] if notes.exists() else []


@pytest.mark.parametrize(
    ("call", "program"),
    [
        ("subprocess.call(['./sniff', 'x'])", "sniff"),
        ("subprocess.call('./sniff', cwd='.')", "sniff"),
        ("subprocess.call('./sniff > out', shell=True)", "sniff"),
        ("subprocess.call(['sniff'], executable=os.path.abspath('sniff'))", "sniff"),
        ("os.system('./sniff')", "sniff"),
        ("os.posix_spawn('./sniff', ['sniff'], {})", "sniff"),
        ("ctypes.CDLL('./libarm.so')", "libarm.so"),
    ],
)
def test_what_is_started_is_noted(tmp_path: Path, call: str, program: str) -> None:
    code = f"try:\n    {call}\nexcept OSError:\n    pass\n"
    assert noted(tmp_path, code) == [program]


@pytest.mark.parametrize(
    "call", ["subprocess.call(['ls', './sniff'])", "subprocess.call('true', shell=True)", "os.system('')"]
)
def test_programs_of_this_machine_are_not(tmp_path: Path, call: str) -> None:
    assert noted(tmp_path, call) == []


def test_without_a_target_nothing_is(tmp_path: Path) -> None:
    assert noted(tmp_path, "os.system('./sniff')", target="") == []
