"""What can be done to a finished wheel so that its zip archive is a bad one: functions that take its path."""

from __future__ import annotations

import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

Spoil: TypeAlias = Callable[[Path], None]

END = struct.Struct("<4s4H2IH")
LATE = 0xFFFF_FFFF  # in 2107, as late as an archive can say
_FIELDS = {  # offset before the member, in the directory
    "flags": (6, 8, "<H"),
    "method": (8, 10, "<H"),
    "moment": (10, 12, "<I"),
    "crc": (14, 16, "<I"),
    "packed": (18, 20, "<I"),
    "size": (22, 24, "<I"),
    "name": (30, 46, "1s"),
    "mode": (None, 40, "<H"),
    "start": (None, 42, "<I"),
}


def header(member: str, where: Literal["directory", "local", "both"] = "both", **fields: int | bytes) -> Spoil:
    """Other values in what the archive says of a member."""

    def spoil(path: Path) -> None:
        data = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            local, directory = archive.getinfo(member).header_offset, archive.start_dir
        row = data.index(member.encode(), directory) - 46
        for field, value in fields.items():
            *places, layout = _FIELDS[field]
            for start, place, wanted in zip((local, row), places, ("directory", "local"), strict=True):
                if place is not None and where != wanted:
                    struct.pack_into(layout, data, start + place, value)
        path.write_bytes(data)

    return spoil


def end(**changes: int) -> Spoil:
    """Other numbers in the last record of the archive, by how much they differ."""

    def spoil(path: Path) -> None:
        data = path.read_bytes()
        magic, *numbers, comment = END.unpack(data[-END.size :])
        names = ("disk", "first_disk", "here", "count", "size", "offset")
        changed = [number + changes.get(name, 0) for name, number in zip(names, numbers, strict=True)]
        path.write_bytes(data[: -END.size] + END.pack(magic, *changed, comment))

    return spoil


def before(data: bytes) -> Spoil:
    return lambda path: _write(path, data + path.read_bytes())


def after(data: bytes) -> Spoil:
    return lambda path: _write(path, path.read_bytes() + data)


def hidden(data: bytes) -> Spoil:
    """Between the last member and the directory, which is found all the same."""

    def spoil(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            at = archive.start_dir
        whole = path.read_bytes()
        path.write_bytes(whole[:at] + data + whole[at:])
        end(offset=len(data))(path)

    return spoil


def comment(data: bytes) -> Spoil:
    def spoil(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + struct.pack("<H", len(data)) + data)

    return spoil


def again(member: str) -> Spoil:
    """A second member of the name."""

    def spoil(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr(zipfile.ZipInfo(member), archive.read(member))

    return spoil


def changed(member: str, change: Callable[[bytes], bytes]) -> Spoil:
    """With other content, of which RECORD knows nothing."""
    return lambda path: _pack(path, {name: (change(data) if name == member else data, 0) for name, data in _read(path)})


def repacked(member: str, method: int) -> Spoil:
    """With one member compressed in another way."""
    return lambda path: _pack(path, {name: (data, method if name == member else 0) for name, data in _read(path)})


def replaced(old: bytes, new: bytes) -> Spoil:
    """With other bytes, as many as before."""
    assert len(old) == len(new)
    return lambda path: _write(path, path.read_bytes().replace(old, new))


def one_by_one(*spoils: Spoil) -> Spoil:
    def spoil(path: Path) -> None:
        for each in spoils:
            each(path)

    return spoil


def streamed(path: Path) -> None:
    """Written as to a pipe: what is not known yet of a member stands behind it."""

    class Pipe:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

        def flush(self) -> None:
            """Nothing to do."""

    pipe = Pipe()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(pipe, "w") as copy:  # type: ignore[call-overload]
        for name in archive.namelist():
            copy.writestr(zipfile.ZipInfo(name), archive.read(name))
    path.write_bytes(pipe.data)


def sparse(path: Path) -> None:
    """Zeros take no room on the disk."""
    data = path.read_bytes()
    with path.open("wb") as file:
        for at in range(0, len(data), 1 << 16):
            block = data[at : at + (1 << 16)]
            file.seek(at)
            if block.strip(b"\0"):
                file.write(block)
        file.truncate(len(data))


def _read(path: Path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _pack(path: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, (data, method) in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
