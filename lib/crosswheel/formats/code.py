"""Finds machine code that some processors of an architecture cannot run, as far as the code shows it.

Most code beyond the baseline is guarded: the program checks the processor first. A file that may contain such a check
gets no verdict; the rules consider checks in other files. The rest was compiled with -march=native or similar flags.
x86 code is disassembled by capstone, if that is installed, and only where its bytes look like AVX; AArch64's
instructions have four bytes each and are compared with masks.
"""

from __future__ import annotations

import functools
import itertools
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from crosswheel.formats.elf_tables import Tables

_EM_X86_64, _EM_AARCH64 = 62, 183
_MOST_CODE = 32 << 20
_BLOCK = 1 << 20

# Functions and variables by which a program checks the processor.
_QUESTIONS = {
    _EM_AARCH64: (b"getauxval", b"/proc/cpuinfo", b"/proc/self/auxv", b"/sys/devices/system/cpu"),
    _EM_X86_64: (b"/proc/cpuinfo", b"__cpu_model", b"__cpu_indicator_init", b"__x86_get_cpu"),
}


@dataclass(frozen=True)
class Code:
    """The result of scanning a file's instructions.

    `beyond` has instruction sets outside of the baseline without a check in the file; `throughout` those that replace
    the baseline's everywhere, so that no check can help. `asks`: the file may check the processor; `unread` has sets
    that it may use, but no disassembler was installed.
    """

    beyond: frozenset[str] = frozenset()
    throughout: frozenset[str] = frozenset()
    asks: bool = False
    unread: frozenset[str] = frozenset()


def look_at(tables: Tables) -> Code:
    if tables.header.machine == _EM_AARCH64 and not tables.big_endian:
        return _of_arm(tables)
    return _of_x86(tables) if tables.header.machine == _EM_X86_64 else Code()


def _names_question(tables: Tables) -> bool:
    return tables.contains(_QUESTIONS[tables.header.machine])


def _read(tables: Tables, most: int) -> Iterator[bytes]:
    """The code, within a time limit: sections may overlap in a malicious file."""
    most = min(most, len(tables.data))
    for section in tables.code():
        for start in range(section.start, section.stop, _BLOCK):
            if most <= 0:
                return
            block = tables.data[start : min(start + _BLOCK, section.stop)]
            most -= len(block)
            yield block


# ---- AArch64 ------------------------------------------------------------------------------------------------------

# The fixed bits of each instruction and their values (Arm Architecture Reference Manual, C4.1); at most eight rows,
# because each has one bit in the result.
_ARM = (
    ("exclusive", 0x3FA00000, 0x08000000),  # LDXR, STXR and similar: the baseline's atomics
    ("question", 0xFFFFFC00, 0xD5380400),  # MRS of a register ID_AA64*
    ("CAS", 0x3FA07C00, 0x08A07C00),
    ("SWP", 0x3F20FC00, 0x38208000),
    ("LDADD", 0x3F208C00, 0x38200000),  # and LDCLR, LDEOR, LDSET and similar
    ("dot product", 0x9FE0FC00, 0x0E809400),
    ("SVE", 0xFF3FFC10, 0x2518E000),  # PTRUE
    ("AES", 0xFFFFCC00, 0x4E284800),
)
_NEAR = 16  # instructions
_FEW, _MANY = 4, 32
_LSE = ("CAS", "SWP", "LDADD")


def _of_arm(tables: Tables) -> Code:
    """Scan AArch64 code; libgcc's outline atomics (one LSE instruction beside a baseline loop) do not count.

    Code with atomics of LSE and none of the baseline was compiled for LSE, even if it checks the processor.
    """
    counts = Counter[str]()
    asks, lonely = _names_question(tables), 0
    for text in _read(tables, _MOST_CODE):
        marks = _marked(text)
        hits = Counter(marks.translate(None, b"\0"))
        for name, bits in _bits().items():
            counts[name] += sum(count for byte, count in hits.items() if byte & bits)
        lonely += _lonely(marks)
        asks = asks or counts["question"] > 0
        if asks and counts["exclusive"]:
            return Code(asks=True)
    complete = sum(map(len, tables.code())) <= min(_MOST_CODE, len(tables.data))
    # Constants between functions may look like LDADD, which has few fixed bits.
    swaps = counts["CAS"] + counts["SWP"]
    throughout = complete and swaps >= _FEW and swaps + counts["LDADD"] >= _MANY and not counts["exclusive"]
    beyond = {name for name in ("dot product", "SVE", "AES") if counts[name] >= _FEW}
    beyond |= {"LSE"} if lonely >= _FEW else set()
    return Code(
        beyond=frozenset() if asks else frozenset(beyond),
        throughout=frozenset({"LSE"} if throughout else ()),
        asks=asks,
    )


def _marked(text: bytes) -> bytes:
    """One byte per instruction, with a bit for each matching row of the table.

    The four bytes of all instructions are compared as four long integers, without a loop in Python.
    """
    length = len(text) // 4
    lanes = (text[lane : 4 * length : 4].translate(table) for lane, table in enumerate(_translations()))
    found = functools.reduce(operator.and_, (int.from_bytes(lane, "little") for lane in lanes))
    return found.to_bytes(length, "little")


@functools.cache
def _translations() -> tuple[bytes, ...]:
    """For each of the four bytes, a table from its value to the matching rows."""
    return tuple(
        bytes(
            sum(
                1 << number
                for number, (_, mask, value) in enumerate(_ARM)
                if byte & mask >> shift & 0xFF == value >> shift & 0xFF
            )
            for byte in range(256)
        )
        for shift in (0, 8, 16, 24)
    )


@functools.cache
def _bits() -> Mapping[str, int]:
    return {name: sum(1 << number for number, row in enumerate(_ARM) if row[0] == name) for name, _, _ in _ARM}


def _lonely(marks: bytes) -> int:
    """The number of LSE instructions without a load-exclusive or store-exclusive nearby."""
    exclusive, lse = _with(_bits()["exclusive"]), _with(sum(_bits()[name] for name in _LSE))
    places = (match.start() for match in itertools.islice(lse.finditer(marks), 1000))
    return sum(not exclusive.search(marks, max(0, place - _NEAR), place + _NEAR) for place in places)


@functools.cache
def _with(bits: int) -> re.Pattern[bytes]:
    return re.compile(b"[%s]" % re.escape(bytes(byte for byte in range(256) if byte & bits)))


# ---- x86-64 -------------------------------------------------------------------------------------------------------

# Common AVX instructions in compiled code: moves, sums, products, and vzeroupper.
_LIKE_AVX = re.compile(
    rb"\xc5(?:[\xf8-\xfb][\x10\x11]|[\xfa\xfb][\x58\x59]|[\xf9\xfa\xfd\xfe][\x6f\x7f\xef]|\xf8[\x57\x77])", re.DOTALL
)
_CPUID = re.compile(rb"\x0f\xa2")
_STEPS = (64, 41, 23)
_LONGEST = 15  # bytes of an instruction
_TRIED = 64
_MOST_QUESTIONS = 1000
_ENOUGH, _SHARE = 8, 0.6


def _of_x86(tables: Tables) -> Code:
    if sum(map(len, tables.code())) > min(_MOST_CODE, len(tables.data)):
        return Code(asks=True)
    texts = list(_read(tables, _MOST_CODE))
    likely = [(text, match.start()) for text in texts for match in itertools.islice(_LIKE_AVX.finditer(text), _TRIED)]
    cpuid = ((text, match.start()) for text in texts for match in _CPUID.finditer(text))
    if len(likely) < _ENOUGH:
        return Code(asks=any(cpuid) or _names_question(tables))
    if _names_question(tables):
        return Code(asks=True)
    name_of = _disassembler()
    if name_of is None:
        asks = any(cpuid)
        return Code(asks=asks, unread=frozenset() if asks else frozenset({"AVX"}))
    tried = list(itertools.islice(cpuid, _MOST_QUESTIONS))
    if len(tried) == _MOST_QUESTIONS or any(name_of(text, place) == "cpuid" for text, place in tried):
        return Code(asks=True)
    true = sum(name_of(text, place).startswith("v") for text, place in likely)
    return Code(frozenset({"AVX"}) if true >= max(_ENOUGH, _SHARE * len(likely)) else frozenset())


@functools.cache
def _disassembler() -> Callable[[bytes, int], str] | None:
    """A function that names the instruction at a position, empty if none begins there; None without capstone."""
    try:
        import capstone
    except ImportError:
        return None
    machine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    machine.skipdata = True

    def name_of(text: bytes, place: int) -> str:
        # Disassembly of x86 from any position soon finds the instruction boundaries.
        for back in _STEPS:
            start = max(0, place - back)
            for address, _, mnemonic, _ in machine.disasm_lite(text[start : place + _LONGEST], start):
                if address == place:
                    return str(mnemonic)
        return ""

    return name_of
