"""What leaves the process: harmless, whoever wrote it, and to readers that go away or were never there."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.text import Text

from console import console, nox
from crosswheel.reporting.console import console_for
from crosswheel.reporting.streams import GuardedErrors
from crosswheel.reporting.untrusted import Guard
from crosswheel.testing import tiny_wheel

EVIL = (
    "\x1b]0;title\x07\x1b]8;;https://e.example\x1b\\link\x1b[31m\x9b31m\u202e"
    "\n::error::owned\n  ::set-output name=a::b\n##vso[task.setvariable variable=a]b ##[add-mask]x\r::stop-commands::x"
)


def harmless(text: str) -> bool:
    """No control character but the line end, no bidi control, and no command of a CI service."""
    odd = {char for char in text if not char.isprintable()} - {"\n"}
    return not odd and not re.search(r"##\w*\[|^\s*::", text, re.MULTILINE)


def environ(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOX")}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "CROSSWHEEL_CACHE": str(folder / "cache"), **more}


def in_shell(folder: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A bash script with `cw` for the console command."""
    whole = f'set -o pipefail; cw() {{ "$PYTHON" -c "from crosswheel.tasks import main; main()" "$@"; }}; {script}'
    return subprocess.run(
        ["/bin/bash", "-c", whole], cwd=folder, env=environ(folder, PYTHON=sys.executable, **more), capture_output=True,
        encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip


def test_the_guard_remembers_where_a_line_begins() -> None:
    guard = Guard()
    pieces = ["a", "::b\n", " ", "::c::\n", "\t::d", "\n##", "x ##[y]\n", "\x1b[1m::e\x85"]
    assert "".join(map(guard, pieces)) == "a::b\n : :c::\n        : :d\n##x # #[y]\n: :e"


@pytest.mark.parametrize("settings", [{}, {"FORCE_COLOR": "1"}])
def test_whatever_a_console_draws_is_harmless(settings: Mapping[str, str]) -> None:
    stream = io.StringIO()
    console = console_for(stream, settings)
    console.print(Text(EVIL), Text(EVIL, "red"), EVIL)
    with console.capture() as capture:
        console.print(EVIL, soft_wrap=True)
    for text in (stream.getvalue(), capture.get()):
        assert harmless(re.sub(r"\x1b\[[\d;]*m", "", text) if settings else text)
    assert "owned" in stream.getvalue()
    assert ("\x1b[31m" in stream.getvalue()) == bool(settings)


def test_messages_of_libraries_are_harmless_too() -> None:
    stream = io.StringIO()
    errors = GuardedErrors(stream)
    print(EVIL, file=errors)
    assert harmless(stream.getvalue())


@pytest.mark.parametrize(
    "words",
    [
        [EVIL],
        ["plan", f"--{EVIL}"],
        ["plan", "--policy", EVIL],
        ["plan", "--jobs", EVIL],
        ["plan", EVIL],
        ["plan", f"{EVIL}.tar.gz"],
        ["wheels", "--output", EVIL, "--engine", EVIL],
        ["audit", f"{EVIL}.whl"],
        ["verify", f"{EVIL}.whl"],
        ["--help", EVIL],
    ],
)
def test_words_on_the_command_line_come_back_harmless(words: list[str], tmp_path: Path) -> None:
    done = console(tmp_path, *words)
    assert done.returncode not in {0, 1}
    assert done.stderr
    assert harmless(done.stdout + done.stderr), done.stderr


@pytest.mark.parametrize("words", [["plan", f"--{EVIL}"], ["plan", "--policy", EVIL], ["audit", f"{EVIL}.whl"]])
def test_so_do_those_of_nox_sessions(words: list[str], tmp_path: Path) -> None:
    pytest.importorskip("nox")
    (tmp_path / "noxfile.py").write_text("from crosswheel import sessions\n\nsessions.add()\n")
    verb, *rest = words
    done = nox(tmp_path, "--nocolor", "-s", verb, "--", *rest)
    assert done.returncode == 1
    assert "(exit code 2)" in done.stderr
    assert harmless(done.stdout + done.stderr), done.stderr


def test_files_and_settings_of_others_come_back_harmless(tmp_path: Path) -> None:
    text = EVIL.replace("\x1b", "\\u001b").replace("\n", "\\n").replace("\r", "\\r").replace("\x07", "\\u0007")
    (tmp_path / "pyproject.toml").write_text(f'[tool.crosswheel]\npolicy = "{text}"\n"{text}" = 1\n', "utf-8")
    done = console(tmp_path, "plan")
    assert done.returncode == 2
    assert harmless(done.stdout + done.stderr), done.stderr
    (tmp_path / "pyproject.toml").unlink()
    path = tiny_wheel(tmp_path, members={f"{EVIL}.py": b"", "tiny-1.0.dist-info/METADATA": EVIL.encode()})
    for form in ([], ["--json", "x.json", "--sarif", "x.sarif"]):
        done = console(tmp_path, "audit", path.name, *form)
        assert done.returncode == 9
        assert harmless(done.stdout + done.stderr), done.stdout
    for name in ("x.json", "x.sarif"):
        assert harmless((tmp_path / name).read_text("utf-8"))


def test_a_fault_of_our_own_is_told_harmlessly(tmp_path: Path) -> None:
    spoiled = (
        "import crosswheel.commands.plan as verb\n"
        f"def run(*_): raise RuntimeError({EVIL!r})\n"
        "verb.run = run\nfrom crosswheel.tasks import main\nmain(['crosswheel', 'plan'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", spoiled], cwd=tmp_path, env=environ(tmp_path), capture_output=True, encoding="utf-8",
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("crosswheel: this is a bug in crosswheel: please report it")
    assert "RuntimeError: " in done.stderr
    assert harmless(done.stderr)


# ---- readers --------------------------------------------------------------------------------------------------------


def test_a_reader_that_leaves_changes_nothing_but_what_he_sees(tmp_path: Path) -> None:
    tiny_wheel(tmp_path, members={"tiny.py": b""})
    (tmp_path / "bad-1-py3-none-any.whl").write_bytes(b"")
    done = in_shell(tmp_path, "cw audit . --json x.json | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("9\n", "")
    assert (tmp_path / "x.json").is_file()
    done = in_shell(tmp_path, "cw audit --rules | head -1; echo ${PIPESTATUS[0]}")
    assert done.stdout.endswith("\n0\n")
    assert done.stderr == ""
    done = in_shell(tmp_path, "cw --list | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("0\n", "")
    done = in_shell(tmp_path, "cw plan --policy x 2>&1 | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", ">&- <&-"])
def test_a_closed_output_is_refused_before_anything_is_done(closed: str, tmp_path: Path) -> None:
    tiny_wheel(tmp_path, members={"tiny.py": b""})
    done = in_shell(tmp_path, f"cw audit . --json x.json {closed}")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    if "2>" not in closed:
        assert done.stderr.startswith("crosswheel: standard output is closed\n  try: ")
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_other_closed_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    tiny_wheel(tmp_path, members={"tiny.py": b""})
    tiny_wheel(tmp_path, name="other", members={"other.py": b""})
    done = in_shell(tmp_path, f"cw audit . {closed}")
    assert done.returncode == 0
    assert done.stdout.startswith("✔ ")
    assert done.stderr == ""


def test_an_output_that_is_full_is_an_error_of_its_own(tmp_path: Path) -> None:
    tiny_wheel(tmp_path, members={"tiny.py": b""})
    for words in ("audit .", "audit --rules"):
        done = in_shell(tmp_path, f"cw {words} > /dev/full")
        assert done.returncode == 12
        assert done.stderr.startswith("crosswheel: no space left")
        assert "Exception ignored" not in done.stderr
