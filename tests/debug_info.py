"""ELF files with what a compiler's -g leaves in them."""

from __future__ import annotations

import io
import struct

from elftools.elf.elffile import ELFFile

DEBUG_INFO = b"which line of the source each instruction is of"
_PROGBITS, _SYMTAB, _STRTAB = 1, 2, 3


def with_debug_info(elf: bytes) -> bytes:
    """The file with a section of debug information, a table of symbols and one of their names behind all it has."""
    file = ELFFile(io.BytesIO(elf))
    wide, order = file.elfclass == 64, "<" if file.little_endian else ">"
    layout = struct.Struct(order + ("IIQQQQIIQQ" if wide else "10I"))
    start, count = file["e_shoff"], file["e_shnum"]
    rows = list(layout.iter_unpack(elf[start : start + count * layout.size]))
    names = file.get_section(file["e_shstrndx"]).data()
    body, symbol = bytearray(elf[:start]), 24 if wide else 16
    names += b".debug_info\0.symtab\0.strtab\0.shstrtab\0"
    for name, kind, data, link, entry in [
        (b".debug_info", _PROGBITS, DEBUG_INFO, 0, 0),
        (b".symtab", _SYMTAB, bytes(symbol), count + 2, symbol),
        (b".strtab", _STRTAB, b"\0a_name\0", 0, 0),
        (b".shstrtab", _STRTAB, names, 0, 0),
    ]:
        body += bytes(-len(body) % 8)
        rows.append((names.rindex(name), kind, 0, 0, len(body), len(data), link, 0, 8, entry))
        body += data
    body += bytes(-len(body) % 8)
    struct.pack_into(order + ("Q" if wide else "I"), body, 40 if wide else 32, len(body))
    struct.pack_into(order + "HH", body, 60 if wide else 48, len(rows), len(rows) - 1)
    return bytes(body) + b"".join(layout.pack(*row) for row in rows)
