from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crosswheel.errors import SourceError
from crosswheel.formats.sdists import (
    member_names,
    read_sdist,
    unpack,
    unpack_sdist,
)
from crosswheel.system.memo import Answers
from tiny_projects import PKG_INFO, tar_of


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


# ---- sdist files ----------------------------------------------------------------------------------------------


def test_an_sdist_says_who_it_is_in_pkg_info(tmp_path: Path) -> None:
    info = b"Metadata-Version: 2.2\nName: Tiny_Thing\nVersion: 2.0\nRequires-Python: >=3.9\n\nText.\n"
    path = tar_of({"PKG-INFO": info, "src/x.egg-info/PKG-INFO": b"Name: other\n"}, tmp_path)
    sdist = read_sdist(path)
    assert (sdist.name, sdist.version, sdist.requires_python) == ("tiny-thing", "2.0", ">=3.9")


def test_an_sdist_without_pkg_info_goes_by_its_file_name(tmp_path: Path) -> None:
    sdist = read_sdist(tar_of({"setup.py": b""}, tmp_path))
    assert (sdist.name, sdist.version, sdist.requires_python) == ("tiny", "1.0", "")


def packed(folder: Path, order: int = 1, **changes: object) -> Path:
    """An sdist of a few files; `changes` are what the header of fast.c differs in."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "tiny-1.0.tar.gz", "w:gz") as archive:
        for name in ("fast.c", "setup.py", "link")[::order]:
            entry = tarfile.TarInfo(f"tiny-1.0/{name}")
            entry.mtime, entry.mode = 1_700_000_000, 0o644
            if name == "link":
                entry.type, entry.linkname = tarfile.SYMTYPE, "fast.c"
            for field, value in changes.items() if name == "fast.c" else ():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(b"\0" * entry.size))
    return folder / "tiny-1.0.tar.gz"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"mtime": 1_800_000_000}, True),
        ({"uid": 1000, "gname": "users"}, True),
        ({"mode": 0o664}, True),
        ({"order": -1}, True),
        ({"mode": 0o755}, False),
        ({"size": 1}, False),
        ({"name": "tiny-1.0/slow.c"}, False),
        ({"type": tarfile.SYMTYPE, "linkname": "setup.py"}, False),
        ({"type": tarfile.DIRTYPE}, False),
    ],
)
def test_content_is_what_unpacking_gives(changes: dict[str, Any], same: bool, tmp_path: Path) -> None:
    first, second = packed(tmp_path / "first"), packed(tmp_path / "second", **changes)
    assert (read_sdist(first).content == read_sdist(second).content) is same


def test_content_of_two_links_is_where_they_lead(tmp_path: Path) -> None:
    first = read_sdist(tar_with_link(tmp_path, target="a"))
    assert first.content != read_sdist(tar_with_link(tmp_path, target="b")).content


@pytest.mark.parametrize(
    ("time", "epoch"),
    [
        (1_800_000_000, 1_800_000_000),
        (1_800_000_000.75, 1_800_000_000),
        (1_600_000_000, 1_700_000_000),  # the other members are newer
        (1 << 33, 4_354_819_198),
    ],
)
def test_an_sdist_is_as_old_as_its_newest_member(time: float, epoch: int, tmp_path: Path) -> None:
    assert read_sdist(packed(tmp_path, mtime=time)).epoch == epoch


def test_no_sdist_is_older_than_a_zip_archive_can_say(tmp_path: Path) -> None:
    assert read_sdist(tar_of({"setup.py": b""}, tmp_path)).epoch == 315_532_800


@pytest.mark.parametrize(
    ("moment", "epoch"), [((2024, 2, 29, 12, 0, 30), 1_709_208_030), ((1980, 0, 0, 0, 0, 0), 315_532_800)]
)
def test_a_zipped_sdist_has_times_too(moment: tuple[int, int, int, int, int, int], epoch: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tiny-1.0.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("tiny-1.0/setup.py", moment), "")
    assert read_sdist(tmp_path / "tiny-1.0.zip").epoch == epoch


@pytest.mark.parametrize(("name", "version"), [("/etc/tiny", "1.0"), ("../tiny", "1.0"), ("tiny", "../1.0")])
def test_a_name_that_leads_elsewhere_is_refused(name: str, version: str, tmp_path: Path) -> None:
    """Folders of caches and logs are called after it."""
    info = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()
    with pytest.raises(SourceError, match=r"^tiny-1\.0\.tar\.gz: invalid name or version in its metadata: "):
        read_sdist(tar_of({"PKG-INFO": info}, tmp_path))


def test_an_archive_with_neither_is_no_sdist(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read_sdist(tar_of({"setup.py": b""}, tmp_path, name="master.tar.gz"))
    assert caught.value.message == (
        "master.tar.gz is not an sdist: it has no PKG-INFO, and its name is not NAME-VERSION.tar.gz"
    )
    assert caught.value.hint == "python -m build --sdist, in the project's folder"


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
    assert caught.value.hint == "download or build it again; it may be truncated"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:], "CRC check failed"),
        (lambda data: data[:-4] + bytes([data[-4] ^ 1]) + data[-3:], "Incorrect length of data produced"),
        (lambda data: data[:-3], "Compressed file ended before the end-of-stream marker was reached"),
        (lambda data: data + b"garbage", "it has data behind the end of its gzip stream"),
        (lambda data: data + gzip.compress(b"more"), "it has data behind the end of the archive"),
    ],
)
def test_what_follows_the_members_is_checked_if_asked(
    tmp_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    path = tar_of({"PKG-INFO": b"Name: tiny\nVersion: 1.0\n"}, tmp_path)
    path.write_bytes(change(path.read_bytes()))
    assert member_names(path) == ["tiny-1.0/PKG-INFO"]
    with pytest.raises(SourceError, match=f"cannot be read: {reason}"):
        member_names(path, whole=True)


def test_zeros_behind_an_archive_do_no_harm(tmp_path: Path) -> None:
    path = tar_of({"PKG-INFO": b"Name: tiny\nVersion: 1.0\n"}, tmp_path)
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(10_240)) + bytes(1000))
    assert member_names(path, whole=True) == ["tiny-1.0/PKG-INFO"]


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
    assert caught.value.message == f"tiny-1.0.tar.gz must contain exactly one folder, not {count}"


# ---- what is known of it ---------------------------------------------------------------------------------------


def test_what_was_found_in_an_archive_is_not_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, answers = tar_of({"a.cpp": b"", "setup.py": b'py_limited_api="cp311"'}, tmp_path), Answers(tmp_path / "kept")
    first = read_sdist(path, answers)
    assert (first.cxx, first.stable_abi) == (True, frozenset({11}))
    with monkeypatch.context() as patched:
        patched.setattr(tarfile, "open", None)
        assert read_sdist(path, answers) == first
    tar_of({"a.c": b""}, tmp_path)
    second = read_sdist(path, answers)
    assert (second.compiled, second.cxx, second.stable_abi) == (True, False, None)


def test_the_same_bytes_under_another_name_may_be_another_sdist(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "kept")
    path = tar_of({"setup.py": b""}, tmp_path)
    assert read_sdist(path, answers).name == "tiny"
    assert read_sdist(path.rename(tmp_path / "other-1.0.tar.gz"), answers).name == "other"


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
    assert (sdist.compiled, sdist.cxx) == (compiled, cxx)


def test_no_compiler_is_needed_where_the_backend_has_none(tmp_path: Path) -> None:
    flit = b'[build-system]\nbuild-backend = "flit_core.buildapi"\n'
    assert not read_sdist(tar_of({"tiny/driver.c": b"", "pyproject.toml": flit}, tmp_path)).compiled


@pytest.mark.parametrize(
    ("member", "text", "since"),
    [
        ("setup.py", b"Extension('x', py_limited_api=True)", set()),
        ("setup.py", b'options={"bdist_wheel": {"py_limited_api": "cp311"}}', {11}),
        ("setup.py", b"define_macros=[('Py_LIMITED_API', '0x030B0000')]", {11}),
        ("setup.cfg", b"[bdist_wheel]\npy_limited_api = cp38", set()),
        ("pyproject.toml", b'[tool.scikit-build]\nwheel.py-api = "cp312"', {12}),
        ("pyproject.toml", b"limited-api = true", set()),
        ("pyproject.toml", b'py-api = ""\n[tool.cibuildwheel]\nbuild = "cp39-* cp310-*"', set()),
        ("meson.build", b"py.extension_module('x', 'x.c', limited_api: '3.10')", {10}),
        ("CMakeLists.txt", b"python_add_library(x MODULE USE_SABI 3.11)", {11}),
        ("setup.py", b"Extension('x', define_macros=[('VERSION', '0x030B0000')])", None),
        ("docs/setup.py", b"abi3", None),
        ("notes.txt", b"abi3", None),
    ],
)
def test_build_files_tell_of_the_stable_abi(tmp_path: Path, member: str, text: bytes, since: set[int] | None) -> None:
    assert read_sdist(tar_of({member: text}, tmp_path)).stable_abi == since


@pytest.mark.parametrize("moment", ["inf", "nan", "-inf"])
def test_a_time_that_is_none_is_one_that_a_wheel_can_be_dated_to(tmp_path: Path, moment: str) -> None:
    with tarfile.open(tmp_path / "tiny-1.0.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("tiny-1.0/setup.py")
        entry.pax_headers = {"mtime": moment}
        archive.addfile(entry)
    assert read_sdist(tmp_path / "tiny-1.0.tar.gz").epoch in {315_532_800, 4_354_819_198}


@pytest.mark.parametrize("version", ["1.0\0", "1 0", "1/0", "../1"])
def test_a_version_that_is_none_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(SourceError, match="invalid name or version in its metadata: tiny"):
        read_sdist(tar_of({"PKG-INFO": f"Name: tiny\nVersion: {version}\n".encode()}, tmp_path))


def test_a_number_of_thousands_of_digits_is_no_version_of_python(tmp_path: Path) -> None:
    digits = b"1" * 5000
    read_sdist(tar_of({"setup.py": b'py_limited_api = "cp3' + digits + b'"'}, tmp_path))


def test_an_archive_that_becomes_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosswheel.formats.sdists.UNPACKED", 1 << 20)
    path = tar_of({"zeros": bytes(4 << 20)}, tmp_path)
    with pytest.raises(SourceError, match=r"\(a bomb\)"):
        read_sdist(path)


def test_an_sdist_that_was_changed_since_it_was_read_is_not_unpacked(tmp_path: Path) -> None:
    sdist = read_sdist(tar_of({"PKG-INFO": PKG_INFO, "a.py": b""}, tmp_path))
    assert unpack_sdist(sdist, tmp_path / "first").name == "tiny-1.0"
    tar_of({"PKG-INFO": PKG_INFO, "a.py": b"import os"}, tmp_path)
    with pytest.raises(SourceError, match="has changed since this run read it"):
        unpack_sdist(sdist, tmp_path / "second")
