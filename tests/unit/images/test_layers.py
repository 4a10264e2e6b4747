"""Unpacking layers: what an image has, and nothing outside of the folder, whatever a layer says."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crosswheel.formats.tars import damages
from crosswheel.images import layers
from crosswheel.images.layers import BadLayer, Unpacking, unpack
from crosswheel.system.budget import Budget, OverBudget
from layer_files import WHEN, Member, gzipped, layer


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder for images, beside one that no image may touch."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("unchanged")
    return tmp_path


def unpacked(room: Path, *content: bytes) -> Path:
    files = []
    for number, each in enumerate(content):
        files.append(room / f"{number}.layer")
        files[-1].write_bytes(each)
    root = room / "root"
    unpack(files, root)
    assert_alone(room)
    for folder, names, inner in os.walk(root):
        for path in (Path(folder, name) for name in (*names, *inner)):
            if path.is_symlink():
                assert not path.readlink().is_absolute()
                assert Path(os.path.realpath(path)).is_relative_to(root)
    return root


def zstd(content: bytes) -> bytes:
    try:
        from compression.zstd import compress  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from backports.zstd import compress
    return bytes(compress(content))


def assert_alone(room: Path) -> None:
    """Nothing outside has changed."""
    outside = room / "outside"
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "unchanged"
    assert {path.name for path in room.iterdir() if path.suffix != ".layer"} <= {"outside", "root"}


# ---- what an image has ----------------------------------------------------------------------------------------


def test_files_folders_and_links_are_there_with_their_times(room: Path) -> None:
    root = unpacked(
        room,
        layer(
            Member("./"), Member("usr/"), Member("usr/bin/"), Member("usr/bin/tool", b"#!", mode=0o755),
            Member("bin", link="usr/bin"), Member("usr/bin/same", hard="usr/bin/tool"),
        ),
    )  # fmt: skip
    tool = root / "bin/tool"
    assert tool.read_bytes() == b"#!"
    assert tool.stat().st_mtime == WHEN
    assert tool.stat().st_uid == os.getuid()
    assert stat.S_IMODE(tool.stat().st_mode) == 0o755
    assert (root / "usr/bin/same").samefile(tool)


@pytest.mark.parametrize(
    ("place", "target", "found"),
    [
        ("opt/python/cp311", "/opt/_internal/py", "../../opt/_internal/py"),
        ("etc/x", "/usr", "../usr"),
        ("etc/x", "/", ".."),
        ("x", "/usr", "usr"),
        ("x", "/", "."),
        ("a/b", "../c", "../c"),
    ],
)
def test_absolute_links_are_made_relative(room: Path, place: str, target: str, found: str) -> None:
    root = unpacked(room, layer(Member(place, link=target)))
    assert str((root / place).readlink()) == found


def test_a_hard_link_to_a_symbolic_link_leads_to_the_same_place(room: Path) -> None:
    root = unpacked(
        room,
        layer(Member("opt/x", b"1"), Member("a", link="/opt/x"), Member("b/c/d", hard="a"), Member("e/f", hard="a")),
    )
    assert (root / "b/c/d").read_bytes() == b"1"
    assert (root / "e/f").read_bytes() == b"1"


def test_permissions_of_the_user_are_added_and_setuid_is_dropped(room: Path) -> None:
    root = unpacked(
        room,
        layer(Member("secret", b"x", mode=0o000), Member("su", b"x", mode=0o6755), Member("shut/", mode=0o1000)),
    )
    modes = {name: (root / name).stat().st_mode & 0o7777 for name in ("secret", "su", "shut")}
    assert modes == {"secret": 0o600, "su": 0o755, "shut": 0o700}


def test_devices_and_pipes_are_left_out(room: Path) -> None:
    kinds = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    root = unpacked(room, layer(*(Member(f"dev/{kind.decode()}", kind=kind) for kind in kinds), Member("x", b"1")))
    assert [path.name for path in root.iterdir()] == ["x"]


def test_a_later_layer_replaces_what_is_there_whatever_it_was(room: Path) -> None:
    first = layer(
        Member("file", b"old"), Member("partner", hard="file"), Member("folder/inner", b"1"),
        Member("link", link="folder"), Member("was-file", b"1"),
    )  # fmt: skip
    second = layer(
        Member("file", b"new"), Member("folder", b"now a file"), Member("link/"), Member("link/x", b"1"),
        Member("was-file/inner", b"2"),
    )  # fmt: skip
    root = unpacked(room, first, second)
    assert (root / "file").read_bytes() == b"new"
    assert (root / "partner").read_bytes() == b"old"  # of a lower layer, under another name
    assert (root / "folder").read_bytes() == b"now a file"
    assert not (root / "link").is_symlink()
    assert (root / "was-file/inner").read_bytes() == b"2"


def test_a_hard_link_reaches_a_lower_layer(room: Path) -> None:
    root = unpacked(room, layer(Member("lib/a", b"1")), layer(Member("lib/b", hard="lib/a")))
    assert (root / "lib/b").samefile(root / "lib/a")


def test_a_hard_link_does_not_replace_the_folder_of_its_file(room: Path) -> None:
    with pytest.raises(BadLayer, match="a is another name of a/b, which is a file below it"):
        unpacked(room, layer(Member("a/b", b"1"), Member("a", hard="a/b")))


def test_whiteouts_remove_what_is_below(room: Path) -> None:
    root = unpacked(
        room,
        layer(Member("a/gone", b"1"), Member("a/stays", b"1"), Member("b/old", b"1"), Member("b/c/old", b"1")),
        layer(Member("a/.wh.gone"), Member("b/new", b"2"), Member("b/.wh..wh..opq"), Member("b/c/new", b"2")),
    )
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert files == ["a/stays", "b/c/new", "b/new"]


def test_whiteouts_leave_what_their_own_layer_has(room: Path) -> None:
    root = unpacked(
        room,
        layer(Member("a/x", b"old"), Member("d/old", b"1")),
        layer(Member("a/x", b"new"), Member("a/.wh.x"), Member("d/"), Member("d/new", b"2"), Member(".wh.d")),
    )
    assert (root / "a/x").read_bytes() == b"new"
    assert [path.name for path in (root / "d").iterdir()] == ["new"]


@pytest.mark.parametrize("compress", [gzipped, zstd, bytes])
def test_layers_may_be_compressed(room: Path, compress: object) -> None:
    assert callable(compress)
    root = unpacked(room, compress(layer(Member("x", b"1" * 100_000))))
    assert (root / "x").stat().st_size == 100_000


def test_a_sparse_file_has_its_size(room: Path, tmp_path: Path) -> None:
    whole = tmp_path / "outside" / "whole"
    with whole.open("wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
        file.truncate(4 << 20)
    archive = room / "sparse.layer"
    assert os.system(f"tar --sparse -C {whole.parent} -cf {archive} whole") == 0  # noqa: S605
    content = whole.read_bytes()
    whole.unlink()
    root = unpacked(room, archive.read_bytes())
    assert (root / "whole").read_bytes() == content
    assert (root / "whole").stat().st_blocks < 1024


# ---- hostile layers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../outside/x", "a/../../outside/x", "/../outside/x", "a/.."])
def test_a_name_that_leaves_is_refused(room: Path, name: str) -> None:
    with pytest.raises(BadLayer, match="is outside of the image"):
        unpacked(room, layer(Member(name, b"x")))
    assert_alone(room)


def test_an_absolute_name_is_inside(room: Path) -> None:
    assert (unpacked(room, layer(Member("/etc/x", b"1"))) / "etc/x").read_bytes() == b"1"


@pytest.mark.parametrize("target", ["../outside", "../../../../../../../../../../{outside}", "{outside}"])
def test_nothing_is_written_through_a_link(room: Path, target: str) -> None:
    text = target.format(outside=room / "outside")
    first = layer(
        Member("out", link=text), Member("deep/er/out", link=f"../../{text}"), Member("file", link=f"{text}/secret")
    )
    second = layer(
        Member("out/new", b"x"), Member("out/secret", b"x"), Member("deep/er/out/new", b"x"), Member("out/.wh.secret"),
        Member("out/.wh..wh..opq"), Member("file", b"x"), Member("out/made/"), Member("out/l", link="/etc/passwd"),
    )  # fmt: skip
    unpacked(room, first, second)


@pytest.mark.parametrize("name", ["out/secret", "../outside/secret"])
def test_no_hard_link_reaches_outside(room: Path, name: str) -> None:
    with pytest.raises(BadLayer):
        unpacked(room, layer(Member("out", link="../outside"), Member("mine", hard=name)))
    assert_alone(room)


def test_a_link_that_leaves_by_another_link_stays_inside(room: Path) -> None:
    top = layer(
        Member("d/e/top", link="/"), Member("leak", link="d/e/top/../../../outside/secret"), Member("by", link="leak"),
        Member("loop", link="loop"), Member("far", link="d/e/top/../loop2"), Member("loop2", link="far"),
    )  # fmt: skip
    root = unpacked(room, top)
    assert not (root / "leak").exists()
    assert str((root / "leak").readlink()) == "outside/secret"


@pytest.mark.parametrize("name", [".wh...", ".wh..", ".wh.", "a/.wh..."])
def test_a_whiteout_of_no_name_is_refused(room: Path, name: str) -> None:
    with pytest.raises(BadLayer, match="is no name of a removed file"):
        unpacked(room, layer(Member(name)))
    assert_alone(room)


def test_the_notes_of_aufs_are_left_out(room: Path) -> None:
    assert not [*unpacked(room, layer(Member(".wh..wh.plnk"), Member(".wh..wh.aufs"))).iterdir()]


def test_the_limits_are_for_all_layers_together(room: Path) -> None:
    for number in range(2):
        (room / f"{number}.layer").write_bytes(layer(Member(f"{number}/x", b"1" * 600)))
    (room / "root").mkdir()
    unpacking = Unpacking(str(room / "root"), _unpacked=Budget(1000, "bytes when it is unpacked"))
    unpacking.apply(room / "0.layer")
    with pytest.raises(OverBudget, match="more than 1000 bytes when it is unpacked"):
        unpacking.apply(room / "1.layer")


def test_members_are_counted(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_MEMBERS", 3)
    with pytest.raises(OverBudget, match="more than 3 members"):
        unpacked(room, layer(*(Member(f"{number}") for number in range(4))))


@pytest.mark.parametrize("cut", [10, 700, 3000])
@pytest.mark.parametrize("compress", [gzipped, zstd, bytes])
def test_a_layer_that_ends_too_early_is_an_error(room: Path, compress: object, cut: int) -> None:
    assert callable(compress)
    whole = compress(layer(Member("x", os.urandom(5000))))
    with pytest.raises((*damages(), OSError)):
        unpacked(room, whole[:cut])


def test_an_image_needs_a_file_system_that_tells_case(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _path: True)
    with pytest.raises(OSError, match="takes A and a for the same name"):
        unpack([], room / "root")


NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "b/a/c", "a/b/c/d", "c", "c/a", "../a", "/b/c"])
TARGETS = st.sampled_from(
    ["a", "b", "..", "../..", "/", "/a", "/a/b", "../outside", "a/../../outside", "c/../..", "b/a/.."]
)
MEMBERS = st.one_of(
    st.builds(Member, NAMES, content=st.just(b"x")),
    st.builds(lambda name: Member(f"{name}/"), NAMES),
    st.builds(lambda name, target: Member(name, link=target), NAMES, TARGETS),
    st.builds(lambda name, target: Member(name, link=f"{target}/secret"), NAMES, TARGETS),
    st.builds(lambda name, hard: Member(name, hard=hard), NAMES, NAMES),
    st.builds(lambda name, hard: Member(name, hard=f"{hard}/secret"), NAMES, NAMES),
    st.builds(lambda name: Member(f"{name}/.wh.a"), NAMES),
    st.builds(lambda name: Member(f"{name}/.wh.secret"), NAMES),
    st.builds(lambda name: Member(f"{name}/.wh..wh..opq"), NAMES),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(MEMBERS, max_size=6), min_size=1, max_size=3))
def test_no_layers_leave_the_folder(tmp_path_factory: pytest.TempPathFactory, content: list[list[Member]]) -> None:
    room = tmp_path_factory.mktemp("room")
    (room / "outside").mkdir()
    (room / "outside" / "secret").write_text("unchanged")
    try:
        unpacked(room, *(layer(*members) for members in content))
    except BadLayer:
        assert {path.name for path in (room / "outside").iterdir()} == {"secret"}
        assert (room / "outside" / "secret").stat().st_nlink == 1


def test_headers_without_an_end_are_refused(room: Path) -> None:
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("x")
        info.pax_headers = {"comment": "c" * (1 << 20)}
        archive.addfile(info)
    with pytest.raises(OverBudget):
        unpacked(room, text.getvalue())
