"""The reader of zip archives: what it takes, where it doubts, and what it refuses before time and memory are gone."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bad_archives import END, after, before, comment, end, header, hidden
from crosswheel.errors import AuditFailed
from crosswheel.formats.wheels import read_wheel
from crosswheel.formats.zips import DIRECTORY, UNPACKED, Unreadable, open_archive, unpack
from crosswheel.testing import tiny_wheel

CENTRAL = struct.Struct("<4s6H3I5H2I")
LOCAL = struct.Struct("<4s5H3I2H")


def deflated(data: bytes) -> bytes:
    """Without a header of its own, which zlib.compress can only leave out since Python 3.11."""
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


@contextmanager
def frugal() -> Iterator[None]:
    """Neither a hundred megabytes nor five seconds."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
        assert time.monotonic() - began < 5
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_reads_what_zipfile_has_written(method: int, tmp_path: Path) -> None:
    files = {"empty": b"", "täny.py": b"answer = 42\n", "zeros": bytes(3 << 20), "folder/": b""}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as writer:
        for name, data in files.items():
            writer.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data, method)
    archive = open_archive(path)
    assert [entry.name for entry in archive.entries] == list(files)
    assert list(archive.files) == ["empty", "täny.py", "zeros"]
    assert {name: archive.read(entry) for name, entry in archive.files.items()} == dict(list(files.items())[:3])
    assert {str(entry.time) for entry in archive.entries} == {"2026-01-02 03:04:06"}
    assert archive.unpacked == (3 << 20) + 12
    assert archive.doubts == ()


def test_blocks_are_small_whatever_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10 << 20))
    with path.open("rb") as stream:
        (entry,) = open_archive(path).entries
        assert max(map(len, unpack(stream, entry))) == 1 << 20


def test_sizes_of_eight_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as writer, writer.open("big", "w", force_zip64=True) as member:
        member.write(b"not really")
    _end64(path)
    archive = open_archive(path)
    assert archive.doubts == ()
    assert archive.read(archive.files["big"]) == b"not really"


def test_two_ends_that_differ(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path)
    _end64(path, small=True)
    end(count=1)(path)
    assert [doubt.found for doubt in open_archive(path).doubts] == [
        "two ends of the directory (ZIP64) that differ",
    ]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (before(b"12345"), "5 bytes before the archive"),
        (before(b"1"), "1 byte before the archive"),
        (after(b"1"), "1 bytes after the archive"),
        (hidden(b"123"), "3 bytes before the directory that are in no member"),
        (hidden(b"1"), "1 byte before the directory that is in no member"),
        (header("tiny.py", "local", flags=1), "encryption 1 in its header"),
        (header("tiny.py", "directory", packed=3, size=3), "packed size 2 in its header"),
    ],
)
def test_doubts(spoil: Callable[[Path], None], found: str, tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, members={"tiny.py": b"42"})
    assert open_archive(path).doubts == ()
    spoil(path)
    assert found in [doubt.found for doubt in open_archive(path).doubts]


def test_a_comment_alone_is_no_doubt(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path)
    comment(b"made by hand")(path)
    assert open_archive(path).doubts == ()


def test_an_end_within_the_comment_of_another(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path)
    data = path.read_bytes()
    magic, *numbers, size, offset, _ = END.unpack(data[-END.size :])
    other = data[offset : offset + size] + END.pack(magic, *numbers, size, len(data), 0)
    path.write_bytes(data[:-2] + struct.pack("<H", len(other)) + other)
    assert "two ends of the directory" in [doubt.found for doubt in open_archive(path).doubts]


def test_no_part_of_an_archive_is_one(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, members={"tiny.py": b"42"})
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(AuditFailed, match=r"cannot be read as a zip archive: ."):
            open_archive(path)


@pytest.mark.parametrize("missing", range(1, 12))
def test_compressed_data_that_ends_too_early(missing: int, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("text", b"twenty-one characters")
        packed = writer.getinfo("text").compress_size
    header("text", packed=packed - missing)(path)
    archive = open_archive(path)
    with pytest.raises(Unreadable):
        archive.read(archive.files["text"])


def test_bytes_hidden_behind_compressed_data(tmp_path: Path) -> None:
    packed = deflated(b"42") + b"hidden"
    path = tmp_path / "a.zip"
    path.write_bytes(_archive([b"a"], _local(b"a", packed, 2, zlib.crc32(b"42")), len(packed), 2, zlib.crc32(b"42")))
    archive = open_archive(path)
    with pytest.raises(Unreadable, match=r"^other bytes after its compressed data$"):
        archive.read(archive.files["a"])


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    packed = deflated(bytes(1 << 20))
    path = tmp_path / "a.zip"
    path.write_bytes(_archive([b"a"], _local(b"a", packed, UNPACKED + 1, 0), len(packed), UNPACKED + 1, 0))
    with frugal(), pytest.raises(AuditFailed, match=r"a.zip is not unpacked: .* zip bomb"):
        open_archive(path)


def test_a_bomb_of_members_that_share_their_bytes(tmp_path: Path) -> None:
    """As many names as one likes for one compressed megabyte."""
    zeros = bytes(1 << 20)
    packed, crc = deflated(zeros), zlib.crc32(zeros)
    path = tmp_path / "a.zip"
    local = _local(b"a", packed, len(zeros), crc)
    path.write_bytes(_archive([b"%d" % n for n in range(2000)], local, len(packed), len(zeros), crc))
    with frugal(), pytest.raises(AuditFailed, match=r"zip bomb"):
        open_archive(path)
    path.write_bytes(_archive([b"a", b"b"], local, len(packed), len(zeros), crc))
    found = [doubt.found for doubt in open_archive(path).doubts]
    assert found == ["bytes shared with another member", "name a in its header"]


def test_a_member_that_says_it_is_small(tmp_path: Path) -> None:
    packed = deflated(bytes(80 << 20))
    path = tmp_path / "a.zip"
    path.write_bytes(_archive([b"a"], _local(b"a", packed, 10, 0), len(packed), 10, 0))
    archive = open_archive(path)
    with frugal(), pytest.raises(Unreadable, match=r"^more than its 10 bytes$"):
        archive.read(archive.files["a"])


def test_a_million_members(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(_archive([b"a"], b"", 0, 0, 0, copies=1_000_000))
    with frugal(), pytest.raises(AuditFailed, match=f"its directory has 47000000 bytes, the limit is {DIRECTORY}"):
        open_archive(path)


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosswheel.formats.zips.MEMBERS", 100)
    path = tmp_path / "a.zip"
    path.write_bytes(_archive([b"a"] * 100, b"", 0, 0, 0))
    assert len(open_archive(path).entries) == 100
    path.write_bytes(_archive([b"a"] * 101, b"", 0, 0, 0))
    with pytest.raises(AuditFailed, match="it has more than 100 members, which is the limit"):
        open_archive(path)


def test_extra_fields_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(_archive([b"a"], b"", 0, 0, 0, extra=b"\xff\xff\0\0" * 16_000, copies=500))
    began = time.monotonic()
    assert len(open_archive(path).entries) == 500
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("member", "data", "message"),
    [
        ("WHEEL", bytes(1 << 17), "WHEEL has 131072 bytes, the limit is 65536"),
        ("METADATA", b"a:\n" * (2 << 20), "METADATA has 6291456 bytes, the limit is 4194304"),
        ("RECORD", bytes(17 << 20), "RECORD has 17825792 bytes, the limit is 16777216"),
        ("METADATA", b"a:\n" * (1 << 20), "METADATA has more than 500000 lines and fields"),
        ("RECORD", b"," * (1 << 20), "RECORD has more than 500000 lines and fields"),
    ],
)
def test_texts_without_end(member: str, data: bytes, message: str, tmp_path: Path) -> None:
    wheel = read_wheel(tiny_wheel(tmp_path, members={f"tiny-1.0.dist-info/{member}": data}))
    with frugal(), pytest.raises(AuditFailed, match=message):
        _ = (wheel.wheel_file, wheel.metadata, wheel.record)


def test_a_tag_that_stands_for_a_billion(tmp_path: Path) -> None:
    part = ".".join(f"a{n}" for n in range(1000))
    text = f"Tag: {part}-{part}-{part}\n".encode()
    wheel = read_wheel(tiny_wheel(tmp_path, members={"tiny-1.0.dist-info/WHEEL": text}))
    with frugal():
        assert wheel.stated_tags == {f"{part}-{part}-{part}"}


def _end64(path: Path, *, small: bool = False) -> None:
    """The end of the directory again, with eight bytes for each number; what says the same in four may be left full."""
    data = path.read_bytes()
    _, _, _, here, count, size, offset, _ = END.unpack(data[-END.size :])
    at = len(data) - END.size
    big = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, here, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    full = END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:at] + big + locator + (data[at:] if small else full))


def _local(name: bytes, packed: bytes, size: int, crc: int) -> bytes:
    return LOCAL.pack(b"PK\3\4", 20, 0, 8, 0, 33, crc, len(packed), size, len(name), 0) + name + packed


def _archive(
    names: list[bytes], members: bytes, packed: int, size: int, crc: int, *, extra: bytes = b"", copies: int = 1
) -> bytes:
    """`members` and a directory of them, in which every name stands for the first."""
    numbers = (20, 20, 0, 8, 0, 33, crc, packed, size)
    rows = [CENTRAL.pack(b"PK\1\2", *numbers, len(name), len(extra), *[0] * 5) + name + extra for name in names]
    directory, count = b"".join(rows) * copies, len(names) * copies & 0xFFFF
    return members + directory + END.pack(b"PK\5\6", 0, 0, count, count, len(directory), len(members), 0)
