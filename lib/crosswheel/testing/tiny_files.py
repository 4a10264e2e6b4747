"""Tiny wheels and tiny ELF files, made in memory without a compiler.

>>> library = tiny_elf(machine="EM_AARCH64", exports=("PyInit_fast",), needed=("libc.so.6",))
>>> tiny_wheel(folder, tag="cp313-cp313-manylinux_2_17_aarch64", members={"fast.so": library})
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from elftools.elf.enums import ENUM_D_TAG, ENUM_E_MACHINE
from packaging.tags import parse_tag

from crosswheel.formats.elf import MAGIC, ByteOrder

_A_LONG_TIME_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip archive can name
_FUNCTION, _WEAK_FUNCTION = 1 << 4 | 2, 2 << 4 | 2
_LOAD, _DYNAMIC_SEGMENT, _INTERPRETER, _STACK, _PROPERTY = 1, 2, 3, 0x6474E551, 0x6474E553  # p_type
_TLS_SEGMENT, _PROGBITS, _RELA = 7, 1, 4
_MOST_SEGMENTS = 5
_USUAL_FLAGS = {"EM_ARM": 0x0500_0400, "EM_PPC64": 2, "EM_RISCV": 5}  # EABI 5 with hard float, ELF ABI 2, double float
_STRTAB, _HASH, _DYNAMIC, _DYNSYM, _VERNEED, _VERSYM = 3, 5, 6, 11, 0x6FFFFFFE, 0x6FFFFFFF  # sh_type
_RISCV_ATTRIBUTES = 0x70000003


def tiny_wheel(
    directory: Path,
    *,
    name: str = "tiny",
    version: str = "1.0",
    tag: str = "py3-none-any",
    members: Mapping[str, bytes] | None = None,
) -> Path:
    """A well-formed wheel with these members in `directory`, down to the hashes of its RECORD.

    A member of the dist-info folder among them takes the place of the one that would be written.
    """
    dist_info = f"{name}-{version}.dist-info"
    tags = "".join(f"Tag: {one}\n" for one in sorted(map(str, parse_tag(tag))))
    purelib = "true" if tag.endswith("-any") else "false"
    files = {
        f"{dist_info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{dist_info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: {purelib}\n{tags}".encode(),
        **(members or {}),
    }
    files.setdefault(f"{dist_info}/RECORD", _record(files, f"{dist_info}/RECORD"))
    path = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in files.items():
            archive.writestr(zipfile.ZipInfo(member, _A_LONG_TIME_AGO), data)
    return path


def _record(files: Mapping[str, bytes], itself: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for member, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow([member, f"sha256={digest}", len(data)])
    rows.writerow([itself, "", ""])
    return text.getvalue().encode()


def tiny_elf(
    *,
    machine: str = "EM_AARCH64",
    bits: int = 64,
    byteorder: ByteOrder = "little",
    soname: str = "",
    needed: Iterable[str] = (),
    rpath: str = "",
    runpath: str = "",
    exports: Iterable[str] = (),
    undefined: Iterable[str] = (),
    weak: Iterable[str] = (),
    versions_needed: Mapping[str, Iterable[str]] | None = None,
    os_abi: int = 0,
    flags: int | None = None,
    interpreter: str = "",
    alignment: int = 0x10000,
    executable_stack: bool | None = False,
    text_relocations: bool = False,
    packed_relocations: bool = False,
    x86_level: int = 0,
    riscv_arch: str = "",
    code: bytes = b"",
    static_tls: int = 0,
    relocations: Iterable[int] = (),
) -> bytes:
    """A shared object of a few hundred bytes: it has all that the dynamic loader asks for, and only the `code` given.

    `undefined` and `weak` are symbols wanted from elsewhere, ``memcpy@GLIBC_2.17`` those of a version that
    `versions_needed` has, which maps a library to symbol versions. Without a word on the stack, `executable_stack` is
    None. `x86_level` 3 marks it as x86-64-v3, `riscv_arch` such as ``rv64i2p1_v1p0`` as made for these extensions.
    `static_tls` are bytes of thread-local storage; `relocations` are the types of such as have an addend.
    """
    usual = _USUAL_FLAGS.get(machine, 0) if flags is None else flags
    draft = _Draft(ENUM_E_MACHINE[machine], bits, byteorder, os_abi, usual, alignment)
    draft.extra_segments(executable_stack, interpreter, x86_level, static_tls)
    if text_relocations:
        draft.tag("DT_TEXTREL", 0)
    if packed_relocations:
        draft.tag("DT_RELR", 0)
    for library in needed:
        draft.tag("DT_NEEDED", draft.name(library))
    for tag, text in (("DT_SONAME", soname), ("DT_RPATH", rpath), ("DT_RUNPATH", runpath)):
        if text:
            draft.tag(tag, draft.name(text))
    versions = draft.versions(versions_needed or {})
    symbols = draft.symbols(undefined, weak, exports)
    draft.add(".dynstr", _STRTAB, bytes(draft.strings), tag="DT_STRTAB")
    draft.tag("DT_STRSZ", len(draft.strings))
    draft.add(".dynsym", _DYNSYM, b"".join(symbols), link=1, info=1, entry=len(symbols[0]), tag="DT_SYMTAB")
    draft.tag("DT_SYMENT", len(symbols[0]))
    draft.add(".hash", _HASH, draft.hashes(len(symbols)), link=2, tag="DT_HASH")
    if versions_needed:
        draft.add(".gnu.version", _VERSYM, draft.version_numbers(), link=2, entry=2, tag="DT_VERSYM")
        draft.add(".gnu.version_r", _VERNEED, versions, link=1, info=len(versions_needed), tag="DT_VERNEED")
        draft.tag("DT_VERNEEDNUM", len(versions_needed))
    draft.extra_sections(relocations, code, riscv_arch)
    return draft.finish()


class _Draft:
    """An ELF file in the making: file header, program headers, sections, section headers; an address is an offset."""

    def __init__(self, machine: int, bits: int, byteorder: ByteOrder, os_abi: int, flags: int, alignment: int) -> None:
        self.machine, self.byteorder = machine, byteorder
        self.os_abi, self.flags, self.alignment = os_abi, flags, alignment
        self.wide = bits == 64  # noqa: PLR2004
        self.strings = bytearray(1)
        self.tags = b""
        self.section_names = bytearray(1)
        self.section_headers = [self.pack("IIWWWWIIWW", *[0] * 10)]
        self.body = bytes(64 + _MOST_SEGMENTS * 56 if self.wide else 52 + _MOST_SEGMENTS * 32)  # headers come last
        self.segments: list[tuple[int, int, int, int]] = []  # type, flags, offset, size
        self.numbers: dict[str, int] = {}  # of versions
        self.versions_of_symbols: list[int] = []

    def extra_segments(self, executable_stack: bool | None, interpreter: str, x86_level: int, static_tls: int) -> None:
        if executable_stack is not None:
            self.segment(_STACK, flags=6 | executable_stack)
        if interpreter:
            self.segment(_INTERPRETER, interpreter.encode() + b"\0")
        if x86_level:
            self.segment(_PROPERTY, self.x86_property(x86_level))
        if static_tls:
            self.segment(_TLS_SEGMENT, bytes(static_tls))

    def extra_sections(self, relocations: Iterable[int], code: bytes, riscv_arch: str) -> None:
        if changes := b"".join(self.relocation(kind) for kind in relocations):
            self.add(".rela.dyn", _RELA, changes, link=2, tag="DT_RELA")
            self.tag("DT_RELASZ", len(changes))
        if code:
            self.add(".text", _PROGBITS, code, flags=6)
        if riscv_arch:
            self.add(".riscv.attributes", _RISCV_ATTRIBUTES, self.riscv_attributes(riscv_arch))

    def pack(self, layout: str, *values: int) -> bytes:
        """As `struct.pack`, with W for a word as wide as an address."""
        order, word = "<" if self.byteorder == "little" else ">", "Q" if self.wide else "I"
        return struct.pack(order + layout.replace("W", word), *values)

    def name(self, text: str) -> int:
        """What stands in the file instead of a name: its place in the string table."""
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text.encode()) - 1

    def tag(self, tag: str, value: int) -> None:
        self.tags += self.pack("WW", ENUM_D_TAG[tag], value)

    def symbols(self, undefined: Iterable[str], weak: Iterable[str], exports: Iterable[str]) -> list[bytes]:
        kinds = [(undefined, _FUNCTION, 0), (weak, _WEAK_FUNCTION, 0), (exports, _FUNCTION, 1)]
        rows = [(text.split("@"), kind, section) for texts, kind, section in kinds for text in texts]
        self.versions_of_symbols = [self.numbers[version[0]] if version else 0 for (_, *version), _, _ in rows]
        named = [(self.name(name), kind, section) for (name, *_), kind, section in rows]
        return [self._symbol(*row) for row in [(0, 0, 0), *named]]

    def _symbol(self, name: int, kind: int, section: int) -> bytes:
        if self.wide:
            return self.pack("IBBHQQ", name, kind, 0, section, 0, 0)
        return self.pack("IIIBBH", name, 0, 0, kind, 0, section)

    def hashes(self, count: int) -> bytes:
        """One bucket with every symbol in its chain: slow to search, quick to write."""
        long = self.wide and self.machine == ENUM_E_MACHINE["EM_S390"]  # s390x's ABI stands alone in this
        chain = [0, *range(2, count), 0][:count]
        return self.pack(f"{3 + count}{'Q' if long else 'I'}", 1, count, min(1, count - 1), *chain)

    def versions(self, needed: Mapping[str, Iterable[str]]) -> bytes:
        """A Verneed record for each library, then a Vernaux record for each of its versions, 16 bytes all of them."""
        data = b""
        for at, (library, texts) in enumerate(needed.items(), start=1):
            versions = list(texts)
            following = 16 * (1 + len(versions)) if at < len(needed) else 0
            data += self.pack("HHIII", 1, len(versions), self.name(library), 16, following)
            for version in versions:
                number = self.numbers[version] = len(self.numbers) + 2  # 0 and 1 mean no version
                data += self.pack("IHHII", 0, 0, number, self.name(version), 16 if version != versions[-1] else 0)
        return data

    def version_numbers(self) -> bytes:
        """Of the symbols, the first of which is none."""
        return self.pack(f"{1 + len(self.versions_of_symbols)}H", 0, *self.versions_of_symbols)

    def relocation(self, kind: int) -> bytes:
        return self.pack("WWW", 0, kind, 0)

    def x86_property(self, level: int) -> bytes:
        """A note with one property: the bit of an instruction set."""
        width = 8 if self.wide else 4
        value = self.pack("III", 0xC0008002, 4, 1 << (level - 1)).ljust(12 + -12 % width, b"\0")
        return self.pack("III", 4, len(value), 5) + b"GNU\0" + value

    def riscv_attributes(self, arch: str) -> bytes:
        """The version of the format, then a vendor's part with a part about the whole file, each with its own size."""
        attribute = b"\x05" + arch.encode() + b"\0"
        of_file = b"\x01" + self.pack("I", 5 + len(attribute)) + attribute
        return b"A" + self.pack("I", 10 + len(of_file)) + b"riscv\0" + of_file

    def segment(self, kind: int, data: bytes = b"", flags: int = 4) -> None:
        """Append the bytes that a program header points to."""
        self.body += bytes(-len(self.body) % 8)
        self.segments.append((kind, flags, len(self.body), len(data)))
        self.body += data

    def add(
        self,
        name: str,
        kind: int,
        data: bytes,
        *,
        flags: int = 0,
        link: int = 0,
        info: int = 0,
        entry: int = 0,
        tag: str = "",
    ) -> int:
        """Append a section; `link` is the number of the one its names or symbols are in. Returns its offset."""
        self.body += bytes(-len(self.body) % 8)
        offset, size = len(self.body), len(data)
        header = self.pack(
            "IIWWWWIIWW", len(self.section_names), kind, flags, offset, offset, size, link, info, 8, entry
        )
        self.section_headers.append(header)
        self.section_names += name.encode() + b"\0"
        self.body += data
        if tag:
            self.tag(tag, offset)
        return offset

    def finish(self) -> bytes:
        self.tag("DT_NULL", 0)
        dynamic = self.add(".dynamic", _DYNAMIC, self.tags, link=1, entry=16 if self.wide else 8)
        self.add(".shstrtab", _STRTAB, bytes(self.section_names) + b".shstrtab\0")
        end = len(self.body)
        segments = [(_LOAD, 4, 0, end), (_DYNAMIC_SEGMENT, 4, dynamic, len(self.tags)), *self.segments]
        headers = self._file_header(end, len(segments)) + b"".join(self._segment(*row) for row in segments)
        return headers + self.body[len(headers) :] + b"".join(self.section_headers)

    def _file_header(self, section_headers: int, segments: int) -> bytes:
        kind = bytes([2 if self.wide else 1, 1 if self.byteorder == "little" else 2, 1, self.os_abi])
        magic = MAGIC + kind + bytes(8)
        sizes = (64, 56, segments, 64) if self.wide else (52, 32, segments, 40)
        count = len(self.section_headers)
        shared_object, version, entry = 3, 1, 0
        numbers = (
            shared_object,
            self.machine,
            version,
            entry,
            sizes[0],
            section_headers,
            self.flags,
            *sizes,
            count,
            count - 1,
        )
        return magic + self.pack("HHIWWWIHHHHHH", *numbers)

    def _segment(self, kind: int, flags: int, offset: int, size: int) -> bytes:
        place, alignment = (offset, offset, offset, size, size), self.alignment if kind == _LOAD else 8
        if self.wide:
            return self.pack("IIQQQQQQ", kind, flags, *place, alignment)
        return self.pack("8I", kind, *place, flags, alignment)
