from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crosswheel.model.targets import architectures
from crosswheel.model.verbs import VERBS
from crosswheel.sessions import ARCHITECTURES
from crosswheel.testing import tiny_wheel

pytest.importorskip("nox")

NOXFILE = "from crosswheel import sessions\n\nsessions.add()\n"
NAMES = [*VERBS, *(f"wheels-{arch}" for arch in ARCHITECTURES)]


def nox(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """nox over a noxfile of three lines."""
    (folder / "noxfile.py").write_text(NOXFILE)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NOX")},
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CROSSWHEEL_CACHE": str(folder),
    }
    command = [sys.executable, "-m", "nox", "--non-interactive", *words]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def test_the_architectures_written_out_are_those_of_the_table() -> None:
    assert tuple(architectures()) == ARCHITECTURES


def test_a_noxfile_of_three_lines_has_the_fixed_sessions_and_none_runs_by_itself(tmp_path: Path) -> None:
    listed = nox(tmp_path, "-l").stdout
    assert re.findall(r"^([*-]) (\S+) -> ", listed, re.MULTILINE) == [("-", name) for name in NAMES]
    assert "- wheels-s390x -> Build, repair, audit and test wheels for s390x.\n" in listed


def test_mistakes_after_the_dashes_fail_the_session_with_all_of_them(tmp_path: Path) -> None:
    done = nox(tmp_path, "-s", "wheels-aarch64", "--", "--engine", "cros", "--python", "cp2")
    assert done.returncode == 1
    text = done.stderr + done.stdout
    assert "python: unknown Python tag 'cp2'" in text
    assert "engine: unknown engine 'cros' (did you mean cross?); known: auto, native, " in text
    assert "(exit code 2)" in text
    assert "Traceback" not in text


def test_wheels_are_named_after_the_dashes(tmp_path: Path) -> None:
    wheels = [tiny_wheel(tmp_path, name=name, members={f"{name}.py": b""}) for name in ("one", "two")]
    done = nox(tmp_path, "-s", "audit", "--", *(wheel.name for wheel in wheels))
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line.startswith("✔ ")] == [
        f"✔ {wheel.name} ({wheel.stat().st_size} B): nothing found" for wheel in wheels
    ]
    wheels[0].write_bytes(b"")
    done = nox(tmp_path, "-s", "audit", "--", ".")
    assert done.returncode == 1
    assert f"✘ {wheels[0].name}: 1 error" in done.stdout
    assert "exit code 9" in done.stderr + done.stdout


def test_a_failed_session_tells_its_exit_code(tmp_path: Path) -> None:
    done = nox(tmp_path, "-s", "plan", "--", "--offline", str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path} is no Python project" in done.stderr + done.stdout
    assert "(exit code 4)" in done.stderr + done.stdout
