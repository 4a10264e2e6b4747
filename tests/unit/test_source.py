from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crosswheel.errors import SourceError, TimeLimit, UsageError
from crosswheel.model import Chore, Event
from crosswheel.source import (
    _parse_name,
    fetch,
    looks_compiled,
    looks_cxx,
    member_names,
    mentions_stable_abi,
    read_sdist,
    requires_python_of,
    unpack,
)
from tiny_projects import tar_of, tiny_host, tiny_project


def deaf(_event: Event) -> None:
    pass


def zip_of(members: dict[str, bytes], folder: Path) -> Path:
    with zipfile.ZipFile(folder / "tiny-1.0.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "tiny-1.0.zip"


def tar_with_link(folder: Path, *, target: str, kind: bytes = tarfile.SYMTYPE) -> Path:
    with tarfile.open(folder / "tiny-1.0.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("tiny-1.0/link")
        entry.type, entry.linkname = kind, target
        archive.addfile(entry)
    return folder / "tiny-1.0.tar.gz"


# ---- folders --------------------------------------------------------------------------------------------------


def test_a_folder_becomes_the_sdist_that_its_backend_makes(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    said: list[Event] = []
    (tmp_path / "made").mkdir()
    sdist = fetch(str(project), tiny_host(tmp_path), tmp_path / "made", said.append)
    assert said[0] == Chore("making the sdist of platform")
    assert len(said) == 2
    assert (sdist.name, sdist.version, sdist.requires_python) == ("tiny", "1.0", ">=3.10")
    assert sdist.path == tmp_path / "made" / "tiny-1.0.tar.gz"
    assert "tiny-1.0/fast.c" in member_names(sdist.path)


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    for ask in (
        lambda: fetch(str(tmp_path), tiny_host(tmp_path), tmp_path, deaf),
        lambda: requires_python_of(str(tmp_path), tiny_host(tmp_path)),
    ):
        with pytest.raises(SourceError) as caught:
            ask()
        assert caught.value.message == f"{tmp_path} is no Python project: it has neither pyproject.toml nor setup.py"
        assert caught.value.hint == "give a project's folder, an sdist file, or NAME==VERSION"


def test_a_backend_that_cannot_make_the_sdist_is_quoted(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    (project / "tiny_backend.py").write_text("raise RuntimeError('no backend today')\n")
    (tmp_path / "made").mkdir()
    with pytest.raises(SourceError) as caught:
        fetch(str(project), tiny_host(tmp_path), tmp_path / "made", deaf)
    first, *_, last = caught.value.message.splitlines()
    assert (first, last) == ("the sdist of platform could not be made:", "RuntimeError: no backend today")
    assert caught.value.hint == f"python -m build --sdist {project}"


def test_a_backend_that_hangs_over_the_sdist_is_ended(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    (project / "tiny_backend.py").write_text("import time\ntime.sleep(600)\n")
    (tmp_path / "made").mkdir()
    with pytest.raises(TimeLimit, match="was still running when the time limit was reached"):
        fetch(str(project), tiny_host(tmp_path), tmp_path / "made", deaf, timeout=3)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["sdist.log"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.12'\n"}, ">=3.12"),
        ({"pyproject.toml": "", "setup.cfg": "[options]\npython_requires = >=3.11 ; x%y\n"}, ">=3.11 ; x%y"),
        ({"setup.py": "", "setup.cfg": "[metadata]\nname = x\n"}, ""),
        ({"setup.py": ""}, ""),
    ],
)
def test_requires_python_is_read_without_building_anything(tmp_path: Path, files: dict[str, str], found: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert requires_python_of(str(tmp_path), tiny_host(tmp_path)) == found


@pytest.mark.parametrize(
    ("name", "text"),
    [("setup.cfg", "no section\n"), ("pyproject.toml", "project = 1\n"), ("pyproject.toml", "[project\n")],
)
def test_a_project_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "setup.py").touch()
    (tmp_path / name).write_text(text)
    with pytest.raises((SourceError, UsageError), match=name):
        requires_python_of(str(tmp_path), tiny_host(tmp_path))


# ---- sdist files ----------------------------------------------------------------------------------------------


def test_an_sdist_says_who_it_is_in_pkg_info(tmp_path: Path) -> None:
    info = b"Metadata-Version: 2.2\nName: Tiny_Thing\nVersion: 2.0\nRequires-Python: >=3.9\n\nText.\n"
    path = tar_of({"PKG-INFO": info, "src/x.egg-info/PKG-INFO": b"Name: other\n"}, tmp_path)
    sdist = read_sdist(path)
    assert (sdist.name, sdist.version, sdist.requires_python) == ("tiny-thing", "2.0", ">=3.9")
    assert requires_python_of(str(path), tiny_host(tmp_path)) == ">=3.9"


def test_an_sdist_without_pkg_info_goes_by_its_file_name(tmp_path: Path) -> None:
    sdist = read_sdist(tar_of({"setup.py": b""}, tmp_path))
    assert (sdist.name, sdist.version, sdist.requires_python) == ("tiny", "1.0", "")


def test_an_archive_with_neither_is_no_sdist(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read_sdist(tar_of({"setup.py": b""}, tmp_path, name="master.tar.gz"))
    assert caught.value.message == (
        "master.tar.gz is no sdist: it has no PKG-INFO, and its name is not NAME-VERSION.tar.gz"
    )
    assert caught.value.hint == "python -m build --sdist, in the project's folder"


def test_an_sdist_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file nowhere/tiny-1\.0\.tar\.gz"):
        fetch("nowhere/tiny-1.0.tar.gz", tiny_host(tmp_path), tmp_path, deaf)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40:60] = b"\xff" * 20  # behind gzip's own header
    path.write_bytes(data)


def overwrite(path: Path) -> None:
    path.write_bytes(b"<html>sign in, please</html>")


@pytest.mark.parametrize("damage", [cut, flip, overwrite])
@pytest.mark.parametrize("read", [read_sdist, lambda path: unpack(path, path.parent / "to"), member_names])
def test_a_damaged_archive_is_one_clear_error(
    tmp_path: Path, damage: Callable[[Path], None], read: Callable[[Path], object]
) -> None:
    noise = b"".join(hash(number).to_bytes(8, "little") for number in range(9**6, 9**7, 997))
    path = tar_of({"PKG-INFO": b"Name: tiny\nVersion: 1.0\n", "noise": noise}, tmp_path)
    damage(path)
    with pytest.raises(SourceError, match=r"^tiny-1\.0\.tar\.gz cannot be read: ") as caught:
        read(path)
    assert caught.value.hint == "fetch or make it anew; it may be cut off"


# ---- unpacking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [tar_of, lambda members, folder: zip_of({f"tiny-1.0/{n}": members[n] for n in members}, folder)]
)
def test_unpacking_gives_the_one_top_folder(tmp_path: Path, make: Callable[[dict[str, bytes], Path], Path]) -> None:
    archive = make({"setup.py": b"x", "src/a.c": b"y"}, tmp_path)
    top = unpack(archive, tmp_path / "to")
    assert top == tmp_path / "to" / "tiny-1.0"
    assert (top / "src" / "a.c").read_bytes() == b"y"


@pytest.mark.parametrize("member", ["../evil", "tiny-1.0/../../evil", "/evil"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_outside_its_folder_is_refused_before_anything_is_written(
    tmp_path: Path, kind: str, member: str
) -> None:
    members = {"tiny-1.0/setup.py": b"", member: b"evil"}
    archive = tar_of(members, tmp_path, top="") if kind == "tar" else zip_of(members, tmp_path)
    with pytest.raises(SourceError) as caught:
        unpack(archive, tmp_path / "deep" / "to")
    assert caught.value.message == f"{archive.name} has a member outside its own folder: {member!r}"
    assert caught.value.hint == "do not build it; tell its authors"
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize(
    ("target", "kind"),
    [("../../outside", tarfile.SYMTYPE), ("/etc/passwd", tarfile.SYMTYPE), ("../x", tarfile.LNKTYPE)],
)
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, target: str, kind: bytes) -> None:
    with pytest.raises(SourceError, match=r"^tiny-1\.0\.tar\.gz has an unsafe member: ") as caught:
        unpack(tar_with_link(tmp_path, target=target, kind=kind), tmp_path / "to")
    assert caught.value.hint == "do not build it; tell its authors"


def test_a_device_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "tiny-1.0.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("tiny-1.0/null")
        entry.type = tarfile.CHRTYPE
        archive.addfile(entry, io.BytesIO())
    with pytest.raises(SourceError, match="unsafe member"):
        unpack(tmp_path / "tiny-1.0.tar.gz", tmp_path / "to")


@pytest.mark.parametrize(("members", "count"), [({"a/x": b"", "b/x": b""}, 2), ({}, 0)])
def test_an_sdist_holds_one_folder(tmp_path: Path, members: dict[str, bytes], count: int) -> None:
    with pytest.raises(SourceError) as caught:
        unpack(tar_of(members, tmp_path, top=""), tmp_path / "to")
    assert caught.value.message == f"tiny-1.0.tar.gz should hold one folder, and holds {count}"


# ---- what is in it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "compiled", "cxx"),
    [
        ("a.py", False, False),
        ("src/a.c", True, False),
        ("a.pyx", True, False),
        ("a.cpp", True, True),
        ("a.rs", True, False),
        ("docs/c.md", False, False),
    ],
)
def test_the_files_tell_whether_a_compiler_is_needed(tmp_path: Path, member: str, *, compiled: bool, cxx: bool) -> None:
    sdist = read_sdist(tar_of({member: b""}, tmp_path))
    assert (looks_compiled(sdist), looks_cxx(sdist)) == (compiled, cxx)


@pytest.mark.parametrize(
    ("member", "text", "mentions"),
    [
        ("setup.py", b"Extension('x', py_limited_api=True)", True),
        ("pyproject.toml", b"limited-api = true", True),
        ("CMakeLists.txt", b"python_add_library(x MODULE USE_SABI 3.11)", True),
        ("setup.py", b"Extension('x')", False),
        ("docs/setup.py", b"abi3", False),
        ("notes.txt", b"abi3", False),
    ],
)
def test_build_files_tell_of_the_stable_abi(tmp_path: Path, member: str, text: bytes, *, mentions: bool) -> None:
    assert mentions_stable_abi(read_sdist(tar_of({member: text}, tmp_path))) is mentions


# ---- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("kiwisolver", "kiwisolver", None),
        ("kiwisolver==1.4.9", "kiwisolver", "1.4.9"),
        ("Kiwi_Solver == 1.4.9", "Kiwi_Solver", "1.4.9"),
        ("kiwisolver===1.4.9", "kiwisolver", "1.4.9"),
        ("kiwisolver==2.0rc1", "kiwisolver", "2.0rc1"),
    ],
)
def test_a_name_may_be_pinned(text: str, name: str, version: str | None) -> None:
    its_name, its_version = _parse_name(text)
    assert (its_name, its_version and str(its_version)) == (name, version)


@pytest.mark.parametrize(
    "text",
    [
        "kiwisolver>=1", "kiwisolver==1.*", "kiwisolver==1,!=2", "no/such/folder", "kiwi solver", "", "kiwisolver==",
        "kiwisolver @ file:///x.tar.gz", "kiwisolver; python_version > '3'",
    ],
)  # fmt: skip
def test_anything_else_is_no_source(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        requires_python_of(text or "=", tiny_host(tmp_path))
    assert caught.value.message == f"{text or '='!r} is no folder, no sdist file and no NAME or NAME==VERSION"
    assert caught.value.hint == "crosswheel wheels --source kiwisolver==1.4.9"
