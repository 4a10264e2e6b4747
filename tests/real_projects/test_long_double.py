"""The format of long double that Meson is told is that of what Zig compiles, for every architecture and libc."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag, Target, architectures, oldest_policy, parse_policy
from crosswheel.system.local_host import local_host
from crosswheel.toolchains.configuration import zig_long_double
from crosswheel.toolchains.zig import Zig, ensure_zig, zig_target, zig_words

pytestmark = [pytest.mark.slow, pytest.mark.index]

# -123456789.0 in each of them; numpy tells them apart by the same number.
_QUAD = bytes.fromhex("c019d6f345400000") + bytes(8)
_DOUBLE = bytes.fromhex("c19d6f3454000000")
_EXTENDED = bytes.fromhex("c019eb79a2a000000000")
FORMATS = {
    "IEEE_QUAD_LE": _QUAD[::-1],
    "IEEE_QUAD_BE": _QUAD,
    "IEEE_DOUBLE_LE": _DOUBLE[::-1],
    "INTEL_EXTENDED_16_BYTES_LE": _EXTENDED[::-1] + bytes(6),
    "INTEL_EXTENDED_12_BYTES_LE": _EXTENDED[::-1] + bytes(2),
    # The nearest double and then what it lacks, which is here a zero of the same sign.
    "IBM_DOUBLE_DOUBLE_LE": _DOUBLE[::-1] + bytes(7) + b"\x80",
}


@pytest.fixture(scope="module")
def zig() -> Zig:
    host = local_host(offline=False, listener=deaf)
    return ensure_zig(host.index, host.cache, host.processes, deaf)


@pytest.mark.parametrize("policy", ["", "musllinux_1_2"], ids=["glibc", "musl"])
@pytest.mark.parametrize("arch", architectures())
def test_long_double_is_what_meson_is_told(arch: str, policy: str, zig: Zig, tmp_path: Path) -> None:
    architecture = architectures()[arch]
    target = Target(PythonTag(13), architecture, parse_policy(policy) if policy else oldest_policy(architecture))
    (tmp_path / "number.c").write_text("long double number = -123456789.0L;\n")
    words = ["-target", zig_target(target), *zig_words(target)]
    command = [str(zig.program), "cc", *words, "-c", "number.c", "-o", "number.o"]
    environ = {"PATH": os.defpath, "HOME": str(tmp_path), "ZIG_GLOBAL_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run(command, cwd=tmp_path, env=environ, check=True, timeout=300)
    assert content_of("number", tmp_path / "number.o") == FORMATS[zig_long_double(target)]


def content_of(name: str, path: Path) -> bytes:
    elf = ELFFile(io.BytesIO(path.read_bytes()))
    symbols = elf.get_section_by_name(".symtab")
    assert isinstance(symbols, SymbolTableSection)
    (symbol,) = [symbol for symbol in symbols.iter_symbols() if symbol.name == name]
    section = elf.get_section(symbol["st_shndx"])
    content: bytes = section.data()[symbol["st_value"] : symbol["st_value"] + symbol["st_size"]]
    return content
