"""Archives of whole project folders."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest

from crosswheel.formats.project_archive import content_of_project, pack_project, unpack_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    files = {
        "setup.py": "", ".git/HEAD": "ref", "tools/run.sh": "run", "wheelhouse/own.whl": "", "pkg/wheelhouse/a": "",
        ".venv/pyvenv.cfg": "", ".venv/bin/python": "", "pkg/__pycache__/a.pyc": "",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "tools" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("tools/run.sh")
    (folder / "away").symlink_to("/etc/passwd")
    return folder


def packed(folder: Path) -> None:
    pack_project(folder, folder.parent / "project.tar", {folder / "wheelhouse"})


def content(folder: Path) -> str:
    return content_of_project(folder, {folder / "wheelhouse"}).sha256


def test_everything_is_in_it_but_what_only_this_machine_can_use(project: Path) -> None:
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(os.path.relpath(project / "socket"))
        packed(project)
    with tarfile.open(project.parent / "project.tar") as archive:
        members = {member.name: member for member in archive}
    assert {name for name, member in members.items() if not member.isdir()} == {
        "project/setup.py", "project/.git/HEAD", "project/tools/run.sh", "project/pkg/wheelhouse/a", "project/link",
        "project/away",
    }  # fmt: skip
    assert members["project/tools/run.sh"].mode == 0o755
    assert {(member.uid, member.uname) for member in members.values()} == {(0, "")}


def test_the_content_is_that_of_the_files_and_not_of_the_repository(project: Path) -> None:
    first = content(project)
    (project / ".git" / "index").write_text("changes when git looks")
    os.utime(project / "setup.py", (1, 1))
    (project / "wheelhouse" / "new.whl").write_text("")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(os.path.relpath(project / "socket"))
        assert content(project) == first
    (project / "tools" / "run.sh").chmod(0o644)
    second = content(project)
    (project / "setup.py").write_text("more")
    third = content(project)
    (project / "link").unlink()
    (project / "link").symlink_to("setup.py")
    assert len({first, second, third, content(project)}) == 4


def test_it_is_unpacked_without_links_that_lead_out(project: Path, tmp_path: Path) -> None:
    packed(project)
    folder = unpack_project(tmp_path / "project.tar", tmp_path / "unpacked")
    assert folder == tmp_path / "unpacked" / "project"
    assert (folder / "link").read_text() == "run"
    assert not (folder / "away").is_symlink()
