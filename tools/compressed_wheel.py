"""Hatchling compresses the files of our wheel once more: with the same format, by a slower and better search.

The wheel is hundreds of small files, and is to stay below 1 MB. zlib, which zipfile uses, leaves 2 % of that on the
table.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import deflate
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BEST = 12  # the highest level of libdeflate
_SIZE_IN_HEADER, _SIZE_IN_DIRECTORY, _OFFSET_IN_DIRECTORY = 18, 20, 42
_END = struct.Struct("<4s4H2LH")


class CompressedWheel(BuildHookInterface[Any]):
    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's
        wheel = Path(artifact_path)
        wheel.write_bytes(smaller(wheel.read_bytes()))


def smaller(archive: bytes) -> bytes:
    """The zip archive `archive` with the same files, dates and order, compressed by libdeflate.

    Headers are taken as they are, but for sizes and offsets (APPNOTE.TXT 4.3.7, 4.3.12 and 4.3.16).
    """
    *begin, length, start, comment = _END.unpack_from(archive, len(archive) - _END.size)
    directory = bytearray(archive[start : start + length])
    made, place = bytearray(), 0
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for entry in opened.infolist():
            name_and_extra = sum(struct.unpack_from("<2H", archive, entry.header_offset + 26))
            header = bytearray(archive[entry.header_offset :][: 30 + name_and_extra])
            stored = entry.compress_type == zipfile.ZIP_STORED
            data = opened.read(entry) if stored else bytes(deflate.deflate_compress(opened.read(entry), _BEST))
            struct.pack_into("<L", header, _SIZE_IN_HEADER, len(data))
            struct.pack_into("<L", directory, place + _SIZE_IN_DIRECTORY, len(data))
            struct.pack_into("<L", directory, place + _OFFSET_IN_DIRECTORY, len(made))
            place += 46 + sum(struct.unpack_from("<3H", directory, place + 28))
            made += header + data
    return bytes(made + directory + _END.pack(*begin, length, len(made), comment))
