"""What we offer to tests of others: an own step is tested in five lines."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crosswheel.steps import Work, audit, save, step
from crosswheel.system.interpreters import uv
from crosswheel.testing import FakeWorkspace, serving_index, tiny_wheel, tiny_work


@step(needs=["workspace"])
def sign(work: Work) -> Work:
    """An own step: the wheel with a signature beside its RECORD, by a program of the workspace."""
    work.workspace.run_hook(["sign", str(work.wheel)])
    return work


def test_an_own_step_is_tested_in_five_lines(tmp_path: Path) -> None:
    work = tiny_work(tmp_path, tiny_wheel(tmp_path))
    done = sign(work)
    assert isinstance(done.workspace, FakeWorkspace)
    assert done.workspace.ran == [("sign", str(work.wheel))]


def test_a_command_may_do_something(tmp_path: Path) -> None:
    def react(command: Sequence[str]) -> None:
        with zipfile.ZipFile(command[-1], "a") as archive:
            archive.writestr("tiny-1.0.dist-info/RECORD.jws", "{}")

    work = tiny_work(tmp_path, tiny_wheel(tmp_path))
    assert isinstance(work.opened, FakeWorkspace)
    signed = sign(replace(work, opened=replace(work.opened, react=react)))
    assert "tiny-1.0.dist-info/RECORD.jws" in signed.read().members
    assert [finding.rule for finding in audit(signed).findings if finding.is_error] == []


def test_what_is_audited_can_be_saved(tmp_path: Path) -> None:
    saved = save(audit(tiny_work(tmp_path, tiny_wheel(tmp_path)))).saved
    assert saved
    assert saved.path == tmp_path / "wheelhouse" / "tiny-1.0-py3-none-any.whl"


def test_the_index_serves_the_files_of_a_folder(tmp_path: Path) -> None:
    served, target = tmp_path / "served", tmp_path / "target"
    served.mkdir()
    tiny_wheel(served, members={"tiny.py": b"answer = 42\n"})
    shutil.copy(__file__, served)
    with serving_index(served) as url:
        command = [uv(), "pip", "install", "--no-cache", "--target", str(target), "--index-url", url, "tiny"]
        subprocess.run([*command, "--python", sys.executable], check=True)
    assert (target / "tiny.py").read_text() == "answer = 42\n"
