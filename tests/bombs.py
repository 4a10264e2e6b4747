"""Inputs made to take all the memory or time of who reads them: each function writes one into a folder."""

from __future__ import annotations

import gzip
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from bad_archives import END
from crosswheel.testing import tiny_elf, tiny_wheel

CENTRAL = struct.Struct("<4s6H3I5H2I")
LOCAL = struct.Struct("<4s5H3I2H")
TAG = "cp313-cp313-manylinux_2_17_aarch64"
SUFFIX = ".cpython-313-aarch64-linux-gnu.so"
DIST_INFO = "tiny-1.0.dist-info"
_METADATA = "Metadata-Version: 2.5\nName: tiny\nVersion: 1.0\n"
_BLOCK = 1 << 20


# ---- wheels ---------------------------------------------------------------------------------------------------------


def many_long_names(folder: Path) -> Path:
    """A directory of 32 MiB, all of it names; each byte of them is none of UTF-8, and is spelled out in four."""
    names = [b"%05d" % number + b"\xff" * 60_000 for number in range(500)]
    return _members(folder, names)


def many_wide_names(folder: Path) -> Path:
    """99 000 names; one letter in each makes Python keep four bytes for all others."""
    names = ["😀".encode() + b"%06d/" % number + b"a" * 250 for number in range(99_000)]
    return _members(folder, names)


def shared_bytes(folder: Path) -> Path:
    """Members of one megabyte which are all the same kilobyte of the archive."""
    zeros = bytes(_BLOCK)
    packed, crc = zlib.compress(zeros, 9, wbits=-15), zlib.crc32(zeros)
    return _members(folder, [b"%d" % number for number in range(250)], packed, len(zeros), crc)


def zip64_sizes(folder: Path) -> Path:
    """Members of 8 EiB each, as a field for large sizes says."""
    extra = struct.pack("<HHQQ", 1, 16, 1 << 63, 1 << 63)
    return _members(folder, [b"a", b"b"], b"", 0xFFFF_FFFF, 0, extra=extra)


def many_symbols(folder: Path) -> Path:
    """A million of them, in a hundred libraries."""
    names = [f"{number:x}" for number in range(10_000)]
    library = tiny_elf(exports=["PyInit_fast"], undefined=names)
    return _deflated(folder, {f"{number}{SUFFIX}": library for number in range(100)})


def long_symbols(folder: Path) -> Path:
    """Few symbols whose names are as long as the file, again and again."""
    names = ["a" * 30_000 + str(number) for number in range(100)]
    library = tiny_elf(exports=["PyInit_fast"], undefined=names)
    return _deflated(folder, {f"{number}{SUFFIX}": library for number in range(75)})


def long_needed_names(folder: Path) -> Path:
    """10 000 libraries are needed by each, and the name of each is a part of one long name."""
    library = bytearray(tiny_elf(exports=["PyInit_fast"], needed=["a" * (1 << 20), *["b"] * 10_000]))
    needed = struct.Struct("<QQ")
    first = library.index(needed.pack(1, 1))
    for number in range(10_001):
        needed.pack_into(library, first + number * needed.size, 1, 1 + number)
    return _deflated(folder, {f"{number}{SUFFIX}": bytes(library) for number in range(3)})


def many_versions(folder: Path) -> Path:
    """Each library of hundreds wants a version of each library of thousands."""
    versions = {f"lib{number}.so": ["V"] for number in range(2000)}
    library = tiny_elf(exports=["PyInit_fast"], needed=["libc.so.6"], versions_needed=versions)
    return _deflated(folder, {f"{number}{SUFFIX}": library for number in range(200)})


def many_libraries(folder: Path) -> Path:
    library = tiny_elf(exports=["PyInit_fast"], needed=["libc.so.6"], undefined=["malloc"], runpath="$ORIGIN")
    return _deflated(folder, {f"a{number}{SUFFIX}": library for number in range(50_000)})


def many_headers(folder: Path) -> Path:
    """A METADATA of as many fields as it may have bytes for."""
    text = b"Name: tiny\nVersion: 1.0\nMetadata-Version: 2.4\n" + b"Classifier: a\n" * 290_000
    return tiny_wheel(folder, members={"tiny-1.0.dist-info/METADATA": text})


def many_rows(folder: Path) -> Path:
    text = b"".join(b"%d,sha256=a,1\n" % number for number in range(160_000))
    return tiny_wheel(folder, members={"tiny-1.0.dist-info/RECORD": text})


def tags_of_a_name(folder: Path) -> Path:
    """A file name that stands for tens of thousands of tags."""
    part = ".".join(map(chr, range(ord("a"), ord("z") + 1)))
    path = tiny_wheel(folder, name="a", version="1")
    return path.rename(folder / f"a-1-{part}.{part.upper()[:19]}-{part}.{part[:20]}1-{part}.{part[:20]}2.whl")


def deflated_zeros(folder: Path) -> Path:
    """A gigabyte, all but a few bytes."""
    deflate = zlib.compressobj(9, wbits=-15)
    packed = (deflate.compress(bytes(_BLOCK)) + deflate.flush(zlib.Z_FULL_FLUSH)) * 1024 + b"\3\0"
    return _members(folder, [b"a"], packed, 1 << 30)


def long_segments(folder: Path) -> Path:
    """A library of 240 MiB, and each of its segments and tables is as long."""
    library = _stretched(tiny_elf(exports=["PyInit_fast"], interpreter="/ld.so", relocations=[1030], static_tls=8))
    return _deflated(folder, {f"fast{SUFFIX}": library})


def endless_hash_chain(folder: Path) -> Path:
    """A library of 240 MiB, all of which is the table by which its symbols are counted."""
    library = tiny_elf(exports=["PyInit_fast"])
    table = struct.pack("<5I", 1, 0, 0, 0, 1)
    place = library.index(struct.pack("<Q", 4), len(library) // 2)  # DT_HASH
    tag = struct.pack("<QQ", 0x6FFFFEF5, len(library))
    return _deflated(folder, {f"fast{SUFFIX}": _stretched(library[:place] + tag + library[place + 16 :] + table)})


def large_wheel(folder: Path) -> Path:
    """A gigabyte, most of it in one library."""
    with zipfile.ZipFile(tiny_wheel(folder, tag=TAG, members={}), "a") as archive:
        with archive.open(f"large{SUFFIX}", "w", force_zip64=True) as file:
            file.write(tiny_elf(exports=["PyInit_large"]))
            for _ in range(800):
                file.write(bytes(_BLOCK))
        for number in range(4000):
            archive.writestr(f"tiny/{number}.bin", bytes(50_000))
        return Path(str(archive.filename))


def entry_points_with_defaults(folder: Path) -> Path:
    """Tens of thousands of groups, each of which has the thousands of names of the section DEFAULT, to configparser."""
    names = "".join(f"n{number}=a\n" for number in range(20_000))
    groups = "".join(f"[{number}]\n" for number in range(90_000))
    return _described(folder, "entry_points.txt", f"[DEFAULT]\n{names}{groups}"[: 1 << 20].encode())


def many_entry_points(folder: Path) -> Path:
    """Each about another attribute of one large module, which has to be searched for it."""
    lines = (f"n{number} = tiny:{'a' * 150}{number}\n" for number in range(5500))
    text = ("[console_scripts]\n" + "".join(lines)).encode()
    return _described(folder, "entry_points.txt", text, {"tiny/__init__.py": b"aaaaaaaaaaaaaaa " * (1 << 14)})


def one_long_entry_point(folder: Path) -> Path:
    """One reference of a megabyte, on thousands of lines."""
    return _described(folder, "entry_points.txt", b"[a]\nb = a\n" + b" a.a.a\n" * 149_000)


def deep_sbom(folder: Path) -> Path:
    return _described(folder, "sboms/a.json", b'{"components": ' + b"[" * 500_000 + b"]" * 500_000 + b"}")


def deep_sbom_that_is_parsed(folder: Path) -> Path:
    """As deep as parsers go, and twice the same, so that one is compared with the other."""
    deep = b"[" * 950 + b"]" * 950
    text = b'{"metadata": {"component": %b}, "components": [%b, %b]}' % (deep, deep, deep)
    return _described(folder, "sboms/a.json", text, {"tiny.libs/liba-00000000.so": tiny_elf()})


def wide_sboms(folder: Path) -> Path:
    """Twenty documents of half a million lists each."""
    text = b'{"components": [' + b"[]," * 340_000 + b"[]]}"
    return _described(folder, "sboms/0.json", text, {f"{DIST_INFO}/sboms/{number}.json": text for number in range(20)})


def large_sbom(folder: Path) -> Path:
    """A quarter of a gigabyte."""
    return _described(folder, "sboms/a.json", b'{"a": "' + b"a" * (255 << 20) + b'"}')


def long_numbers_in_an_sbom(folder: Path) -> Path:
    return _described(folder, "sboms/a.json", b'{"components": ' + b"1" * 1_000_000 + b"}")


def many_startup_files(folder: Path) -> Path:
    """Twenty thousand files that Python reads when it starts."""
    return _deflated(folder, {f"{number}.pth": b"import a\n" * 20 for number in range(20_000)})


def long_startup_lines(folder: Path) -> Path:
    return _deflated(folder, {"a.pth": b"import " + b"a" * 500_000, "b.start": b"a" * 500_000, "c.pth": b"\r" * 40_000})


def deep_import_names(folder: Path) -> Path:
    """Names of a hundred parts each, and each has a hundred packages above it."""
    names = (f"Import-Name: a{number}{'.a' * 95}\n" for number in range(19_000))
    return tiny_wheel(folder, members={f"{DIST_INFO}/METADATA": (_METADATA + "".join(names)).encode()})


def many_import_names(folder: Path) -> Path:
    text = _METADATA + "".join(f"Import-Namespace: \xe9{number}\n" for number in range(150_000))
    return tiny_wheel(folder, members={f"{DIST_INFO}/METADATA": text.encode("latin-1")})


# ---- sdists ---------------------------------------------------------------------------------------------------------


def many_members(folder: Path) -> Path:
    """A million empty files."""
    return _tar(folder, (_header(b"tiny-1.0/a") * 2000, 500))


def one_long_pax_header(folder: Path) -> Path:
    """Of half a gigabyte."""
    return _tar(folder, (_header(b"x", 512 * _BLOCK, b"x"), 1), (bytes(_BLOCK), 512))


def many_pax_headers(folder: Path) -> Path:
    """Global ones, each of which holds for every member that follows."""
    blocks = (_pax(f"key{number}", "v" * 400, b"g") + _header(b"a%d" % number) for number in range(20_000))
    return _tar(folder, (b"".join(blocks), 1))


def one_long_name(folder: Path) -> Path:
    return _tar(folder, (_header(b"././@LongLink", 512 * _BLOCK, b"L"), 1), (b"a" * _BLOCK, 512))


def chained_long_names(folder: Path) -> Path:
    """Each is followed by another, and the last by a file."""
    link = _header(b"././@LongLink", 512, b"L") + b"a" * 511 + b"\0"
    return _tar(folder, (link * 1000, 100), (_header(b"tiny-1.0/a"), 1))


def sparse_map(folder: Path) -> Path:
    """A file in ten million pieces, as the older form of sparse members has it."""
    first = bytearray(_header(b"tiny-1.0/a", 0, b"S"))
    first[482] = 1  # more pieces follow
    first[148:156] = b"%06o\0 " % (sum(first) - sum(first[148:156]) + 8 * 32)
    more = (b"%011o\0%011o\0" % (0, 0)) * 21 + b"\1" + bytes(7)
    return _tar(folder, (bytes(first), 1), (more * 2000, 250))


def sparse_file(folder: Path) -> Path:
    """A terabyte of which nothing is there."""
    path = folder / "tiny-1.0.tar.gz"
    info = tarfile.TarInfo("tiny-1.0/a")
    info.pax_headers = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.name": "tiny-1.0/a", "GNU.sparse.map": "0,0"}
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    return path


def many_texts(folder: Path) -> Path:
    """Of files that are read and not only hashed: as much as an sdist of this size may hold."""
    names = (b"tiny-1.0/%d.pyx" % number for number in range(30))
    return _tar(folder, *(part for name in names for part in ((_header(name, 8 * _BLOCK), 1), (bytes(_BLOCK), 8))))


def deep_folders(folder: Path) -> Path:
    """Each in the one before it, further than any function may call itself."""
    path = folder / "tiny-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for depth in range(1900):
            info = tarfile.TarInfo("tiny-1.0" + "/a" * depth)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
    return path


# ---- pages and settings ---------------------------------------------------------------------------------------------


def long_page() -> Iterator[bytes]:
    """A gigabyte of JSON, as blocks."""
    yield b'{"meta": {"api-version": "1.0"}, "name": "tiny", "files": ["'
    for _ in range(1024):
        yield b"a" * _BLOCK
    yield b'"]}'


def page_of_lists() -> bytes:
    return b'{"meta": {"api-version": "1.0"}, "name": "tiny", "files": [' + b"[]," * 8_000_000 + b"[]]}"


def page_of_depth() -> bytes:
    return b"[" * 200_000 + b"]" * 200_000


def page_of_tags() -> bytes:
    return b"<html><body>" + b"<a>" * 3_000_000


def nested_toml(folder: Path) -> Path:
    return _toml(folder, "a = " + "[" * 100_000 + "]" * 100_000)


def dotted_toml(folder: Path) -> Path:
    return _toml(folder, ".".join("a" * 100_000) + " = 1\n")


def dotted_table_toml(folder: Path) -> Path:
    return _toml(folder, "".join(f"[{'.'.join('a' * 5000)}.b{number}]\n" for number in range(50)))


def endless_toml(folder: Path) -> Path:
    path = _toml(folder, "# a")
    os.truncate(path, 1 << 40)  # zeros take no room on the disk
    return path


BOMBS: dict[str, Callable[[Path], Path]] = {
    bomb.__name__: bomb
    for bomb in (
        many_long_names, many_wide_names, shared_bytes, zip64_sizes, many_symbols, long_symbols, long_needed_names,
        many_versions, many_libraries, many_headers, many_rows, tags_of_a_name, deflated_zeros, many_members,
        long_segments, endless_hash_chain,
        entry_points_with_defaults, many_entry_points, one_long_entry_point, deep_sbom, deep_sbom_that_is_parsed,
        wide_sboms, large_sbom, long_numbers_in_an_sbom, many_startup_files, long_startup_lines, deep_import_names,
        many_import_names,
        one_long_pax_header, many_pax_headers, one_long_name, chained_long_names, sparse_map, sparse_file, many_texts,
        deep_folders,
        nested_toml, dotted_toml, dotted_table_toml, endless_toml,
    )
}  # fmt: skip


# ---- how they are made ----------------------------------------------------------------------------------------------


def _members(
    folder: Path, names: list[bytes], packed: bytes = b"", size: int = 0, crc: int = 0, extra: bytes = b""
) -> Path:
    """A wheel with members besides, every one of which is the same place in the archive."""
    path = tiny_wheel(folder, members={"tiny.py": b""})
    data = path.read_bytes()
    _, _, _, _, count, length, start, _ = END.unpack(data[-END.size :])
    method = 8 if packed else 0
    local = LOCAL.pack(b"PK\3\4", 20, 0x800, method, 0, 33, crc, len(packed), min(size, 0xFFFF_FFFF), 1, 0)
    numbers = (20, 20, 0x800, method, 0, 33, crc, size if extra else len(packed), size)
    rows = b"".join(
        CENTRAL.pack(b"PK\1\2", *numbers, len(name), len(extra), *[0] * 4, start) + name + extra for name in names
    )
    directory = data[start : start + length] + rows
    middle = local + b"a" + packed
    total = min(count + len(names), 0xFFFF)
    end = END.pack(b"PK\5\6", 0, 0, total, total, len(directory), start + len(middle), 0)
    path.write_bytes(data[:start] + middle + directory + end)
    return path


def _described(folder: Path, name: str, data: bytes, more: dict[str, bytes] | None = None) -> Path:
    """A wheel with this file in its .dist-info."""
    return _deflated(folder, {f"{DIST_INFO}/{name}": data, **(more or {})})


def _deflated(folder: Path, members: dict[str, bytes]) -> Path:
    path = tiny_wheel(folder, tag=TAG, members={})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def _stretched(library: bytes) -> bytes:
    """A 64-bit library, continued with zeros; its segments and its table of relocations go on to the end."""
    data = bytearray(library + bytes((240 * _BLOCK) - len(library)))
    for at in range(64, 64 + 56 * struct.unpack_from("<H", data, 56)[0], 56):
        kind, flags, offset, address, physical = struct.unpack_from("<IIQQQ", data, at)
        struct.pack_into("<IIQQQQQ", data, at, kind, flags, offset, address, physical, *[len(data) - offset] * 2)
    if (size := data.find(struct.pack("<QQ", 8, 24))) > 0:  # DT_RELASZ, of one
        struct.pack_into("<QQ", data, size, 8, 239 * _BLOCK)
    return bytes(data)


def _tar(folder: Path, *parts: tuple[bytes, int]) -> Path:
    """Each part so many times, packed by gzip, which may be begun anew at any place."""
    path = folder / "tiny-1.0.tar.gz"
    path.write_bytes(b"".join(gzip.compress(part, 1) * count for part, count in (*parts, (bytes(1024), 1))))
    return path


def _header(name: bytes, size: int = 0, kind: bytes = b"0") -> bytes:
    """A tar header (POSIX.1-1988, ustar)."""
    fields = struct.pack(
        "100s8s8s8s12s12s8s1s100s6s2s247s", name, b"0000644", b"0000000", b"0000000", b"%011o" % size, b"00000000000",
        b" " * 8, kind, b"", b"ustar\0", b"00", b"",
    )  # fmt: skip
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _pax(key: str, value: str, kind: bytes) -> bytes:
    length = len(key) + len(value) + 3
    length += len(str(length + 3))
    record = f"{length} {key}={value}\n".encode()
    return _header(b"pax", len(record), kind) + record + bytes(-len(record) % 512)


def _toml(folder: Path, text: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(text)
    return path
