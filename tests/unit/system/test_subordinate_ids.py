"""Which users and groups an ordinary user may have in a namespace, by files of /etc and the programs that map them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.system.refusal import Refusal
from crosswheel.system.subordinate_ids import User, find_maps

ME = User(1000, 100, "me")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("newuidmap", "newgidmap"):
        (folder / name).touch(0o755)
    return folder


def maps(folder: Path, uids: str, gids: str, user: User = ME) -> object:
    (folder / "subuid").write_text(uids)
    (folder / "subgid").write_text(gids)
    return find_maps(user, folder, f"/no/such/folder:{folder}/bin")


def test_root_is_the_user_and_the_others_are_the_ranges(programs: Path) -> None:
    found = maps(programs.parent, "you:1:2\nme:100000:65536\n1000:300000:10\n", "me:200000:5\n")
    assert found == {
        "uid": (f"{programs}/newuidmap", "0", "1000", "1", "1", "100000", "65536", "65537", "300000", "10"),
        "gid": (f"{programs}/newgidmap", "0", "100", "1", "1", "200000", "5"),
    }


def test_root_has_all_without_a_program(tmp_path: Path) -> None:
    assert find_maps(User(0, 0, "root"), tmp_path, "") == {}


def test_a_user_without_a_range_is_told_of_one_that_no_other_user_has(programs: Path) -> None:
    found = maps(programs.parent, "you:100000:65536\n", "you:100000:65536\nother:231072:1000\n")
    assert found == Refusal(
        "/etc/subuid has no range for me",
        "sudo usermod --add-subuids 232072-297607 --add-subgids 232072-297607 me",
    )


@pytest.mark.parametrize("line", ["", "you:1:2", "me", "me:x:1", "me:1", "# me:1:2"])
def test_other_lines_give_none(programs: Path, line: str) -> None:
    found = maps(programs.parent, "me:100000:65536\n", f"{line}\n", User(1000, 100, "me"))
    assert isinstance(found, Refusal)
    assert found.reason == "/etc/subgid has no range for me"


def test_a_user_without_a_name_has_ranges_by_number(programs: Path) -> None:
    found = maps(programs.parent, "", "", User(1000, 100, ""))
    assert isinstance(found, Refusal)
    assert found.hint.endswith(" 100000-165535 1000")
    assert maps(programs.parent, "1000:1:1\n", "1000:1:1\n", User(1000, 100, ""))


def test_the_package_is_told_that_has_the_programs(tmp_path: Path) -> None:
    found = maps(tmp_path, "me:100000:65536\n", "me:100000:65536\n")
    assert isinstance(found, Refusal)
    assert found.reason == "newuidmap is not installed"
    assert "apt install uidmap" in found.hint


def test_files_that_are_not_there_have_no_ranges(programs: Path) -> None:
    found = find_maps(ME, programs / "no", str(programs))
    assert isinstance(found, Refusal)
    assert found.reason == "/etc/subuid has no range for me"
