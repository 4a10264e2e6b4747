"""Where binaries find what they leave undefined: the lists, the tool that writes them, and who may rely on whom."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bad_wheels import ARM, SUFFIX
from crosswheel.auditing.rules.symbols import UnresolvedSymbol
from crosswheel.formats.symbols import is_listed, known_pythons, libc_has, library_has, python_has
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.targets import parse_policy, parse_python
from crosswheel.testing import tiny_elf, tiny_wheel

TOOLS = Path(__file__).parents[3] / "tools"
HELP = tiny_elf(soname="libhelp.so.1", exports=["help"])


@pytest.mark.parametrize(
    ("name", "having", "lacking"),
    [
        ("PyModuleDef_Init", ["cp39", "cp312", "cp314", "cp313t"], []),
        ("Py_GetConstant", ["cp313", "cp313t", "cp314"], ["cp312", "cp39"]),
        ("_PyArg_NoKwnames", ["cp39", "cp312"], ["cp313", "cp313t"]),
        ("_Py_MergeZeroLocalRefcount", ["cp313t"], ["cp313"]),
        ("PyInit_math", [], ["cp39", "cp313"]),
    ],
)
def test_each_python_has_its_own_symbols(name: str, having: list[str], lacking: list[str]) -> None:
    assert all(python_has(name, parse_python(tag)) for tag in having)
    assert not any(python_has(name, parse_python(tag)) for tag in lacking)


def test_the_usual_pythons_are_known() -> None:
    assert {f"cp3{minor}" for minor in range(9, 15)} | {"cp313t"} <= set(map(str, known_pythons()))


@pytest.mark.parametrize(
    ("name", "policy", "there"),
    [
        ("memcpy", "manylinux2014", True),
        ("sin", "manylinux_2_5", True),  # of libm, which Python has loaded
        ("memfd_create", "manylinux_2_26", False),
        ("memfd_create", "manylinux_2_27", True),
        ("dn_expand", "manylinux_2_17", False),  # of libresolv, which it has not; see below
        ("__tls_get_addr", "manylinux_2_17", True),  # of the loader itself
        ("__sprintf_chk", "manylinux_2_17", True),
        ("__sprintf_chk", "musllinux_1_2", False),
        ("memcpy", "musllinux_1_1", True),
        ("open64", "musllinux_1_2", True),  # which only the loader still knows
        ("__clock_gettime64", "musllinux_1_2", True),  # on 32 bits
    ],
)
def test_each_c_library_has_its_own_symbols(name: str, policy: str, *, there: bool) -> None:
    assert libc_has(name, parse_policy(policy)) is there


@pytest.mark.parametrize(
    ("library", "name", "there"),
    [
        ("libz.so.1", "zlibVersion", True),
        ("libz.so.1", "help", False),
        ("libresolv.so.2", "dn_expand", True),
        ("libstdc++.so.6", "_ZNSt6vectorImSaImEE17_M_default_appendEm", True),
        ("libstdc++.so.6", "_ZN4mine4helpESt6vectorIiSaIiEE", False),
        ("libgcc_s.so.1", "_Unwind_Resume", True),
        ("libc.so.6", "memcpy", True),
        ("ld-linux-aarch64.so.1", "memcpy", False),  # the C library is asked elsewhere, and the loader with it
    ],
)
def test_libraries_that_policies_allow_are_listed(library: str, name: str, *, there: bool) -> None:
    assert is_listed(library)
    assert library_has(library, name) is there


def unresolved(folder: Path, members: dict[str, bytes], tag: str = ARM) -> dict[str, str]:
    wheel = read_wheel(tiny_wheel(folder, tag=tag, members=members))
    return {finding.member: finding.found for finding in UnresolvedSymbol().check(wheel, None)}


RIGHT = {
    "weak": {f"fast{SUFFIX}": tiny_elf(weak=["help"])},
    "a library of the wheel": {f"fast{SUFFIX}": tiny_elf(undefined=["help"], needed=["libhelp.so.1"]), "lib.so": HELP},
    "what the package may load first": {f"fast{SUFFIX}": tiny_elf(undefined=["help"]), "lib.so": HELP},
    "a library that comes with another": {
        f"fast{SUFFIX}": tiny_elf(undefined=["zlibVersion"], needed=["libhelp.so.1"]),
        "lib.so": tiny_elf(soname="libhelp.so.1", needed=["libhelp.so.1", "libz.so.1"]),
    },
    "a library that is nowhere": {f"fast{SUFFIX}": tiny_elf(undefined=["help"], needed=["libnowhere.so"])},
    "another rule's version": {
        f"fast{SUFFIX}": tiny_elf(undefined=["help@GLIBC_2.99"], versions_needed={"libc.so.6": ["GLIBC_2.99"]})
    },
    "another rule's sanitizer": {f"fast{SUFFIX}": tiny_elf(undefined=["__asan_init"])},
    "another rule's private function of zlib": {
        f"fast{SUFFIX}": tiny_elf(undefined=["inflate_fast"], needed=["libz.so.1"])
    },
    "another rule's machine": {f"fast{SUFFIX}": tiny_elf(machine="EM_X86_64", undefined=["help"])},
    "not an ELF file": {f"fast{SUFFIX}": b""},
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_has_a_provider_or_another_rule_is_not_told(name: str, tmp_path: Path) -> None:
    assert unresolved(tmp_path, RIGHT[name]) == {}


def test_a_version_of_a_library_inside_is_looked_for_there(tmp_path: Path) -> None:
    fast = tiny_elf(
        undefined=["help@HELP_1", "more@HELP_1"], needed=["libhelp.so.1"], versions_needed={"libhelp.so.1": ["HELP_1"]}
    )
    assert unresolved(tmp_path, {f"fast{SUFFIX}": fast, "lib.so": HELP}) == {f"fast{SUFFIX}": "more"}


@pytest.mark.parametrize(
    ("tag", "file", "symbol", "told"),
    [
        ("cp313-cp313t", "fast.cpython-313t-aarch64-linux-gnu.so", "_Py_MergeZeroLocalRefcount", False),
        ("cp313-cp313", f"fast{SUFFIX}", "_Py_MergeZeroLocalRefcount", True),
        ("cp312.cp313-cp312.cp313", f"fast{SUFFIX}", "_PyArg_NoKwnames", True),
        ("cp312.cp313-cp312.cp313", "fast.so", "_PyArg_NoKwnames", False),
        ("cp312.cp313-cp312.cp313", "fast.so", "help", True),
        ("py3-none", "libfast.so", "_PyArg_NoKwnames", False),
        ("py3-none", "libfast.so", "PyHelp", True),
        ("cp37-cp37m", "fast.so", "PyHelp", False),
        ("cp37-cp37m", "fast.so", "help", True),
        ("pp310-pypy310_pp73", "fast.so", "PyPyHelp", False),
        ("pp310-pypy310_pp73", "fast.so", "help", True),
        ("cp39-abi3", "libfast.so", "PyUnicodeWriter_Create", True),
        ("cp37-abi3", "libfast.so", "PyModuleDef_Init", False),
    ],
)
def test_the_tag_says_which_python_is_asked(tag: str, file: str, symbol: str, told: bool, tmp_path: Path) -> None:
    members = {file: tiny_elf(undefined=[symbol])}
    found = unresolved(tmp_path, members, f"{tag}-manylinux_2_17_aarch64")
    assert found == ({file: symbol} if told else {})


def test_an_extension_of_the_stable_abi_has_a_rule_of_its_own(tmp_path: Path) -> None:
    fast = tiny_elf(exports=["PyInit_fast"], undefined=["PyUnicodeWriter_Create", "PyHelp", "help"])
    found = unresolved(tmp_path, {"fast.abi3.so": fast}, "cp39-abi3-manylinux_2_17_aarch64")
    assert found == {"fast.abi3.so": "PyHelp, help"}  # the former is of no CPython at all


def test_a_program_has_no_python(tmp_path: Path) -> None:
    program = tiny_elf(undefined=["PyLong_FromLong", "memcpy"], interpreter="/lib/ld-linux-aarch64.so.1")
    assert unresolved(tmp_path, {"bin/tool": program}) == {"bin/tool": "PyLong_FromLong"}


def test_both_c_libraries_of_a_wheel_for_both_are_asked(tmp_path: Path) -> None:
    library = tiny_elf(undefined=["__sprintf_chk"])
    found = unresolved(tmp_path, {"lib.so": library}, "py3-none-manylinux_2_17_aarch64.musllinux_1_2_aarch64")
    assert found == {"lib.so": "__sprintf_chk"}


def test_many_names_are_cut_short(tmp_path: Path) -> None:
    fast = tiny_elf(undefined=[f"help{number:02}" for number in range(12)])
    (found,) = unresolved(tmp_path, {f"fast{SUFFIX}": fast}).values()
    assert found.startswith("help00, help01, ")
    assert found.endswith("help09 and 2 more")


@pytest.fixture
def refresh(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh_symbols", TOOLS / "refresh_symbols.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look for the types of their fields
    spec.loader.exec_module(module)
    return module


def test_zigs_list_of_glibc_becomes_the_first_version_on_our_architectures(refresh: ModuleType) -> None:
    versions = bytes([3, 2, 2, 5, 2, 17, 0, 2, 30, 0])
    head = b"\x02c\0m\0" + versions + b"\x02ours\0theirs\0"
    # A set of targets, a library, versions: the highest bit marks the last of its kind.
    functions = b"\x04\0" + b"old\0" + b"\x02\x00\x80" + b"\x01\x80\x01\x82" + b"sin\0" + b"\x01\x81\x82"
    functions += b"alien\0" + b"\x02\x80\x80"
    objects = b"\x01\0" + b"environ\0" + b"\x03\x88\x01\x80\x80"  # 136 bytes large
    assert refresh.glibc_sections(head + functions + objects, {"ours"}) == {
        "libc.so.6": {"environ": "2.5", "old": "2.17"},
        "libm.so.6": {"sin": "2.30"},
    }


def test_a_symbol_is_written_with_the_pythons_that_have_it(refresh: ModuleType) -> None:
    having = {"cp39": "ab", "cp310": "a", "cp311": "ab", "cp313": "ab", "cp313t": "bc"}
    builds = [refresh.Build(parse_python(tag), f"a {tag}", frozenset(names)) for tag, names in having.items()]
    builds.append(refresh.Build(parse_python("cp39"), "another cp39", frozenset("d")))
    sections = refresh.python_sections(builds)
    assert sections["sources"]["cp39"] == "a cp39, another cp39"
    assert sections["python"] == {"a": "9-13", "b": "9 11-13 13t", "c": "13t", "d": "9"}


def test_what_most_symbols_of_a_library_say_stands_in_its_title(
    refresh: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "DATA", tmp_path)
    refresh.write("some", {"sources": {"a": "1"}, "libm.so.6": {"cos": "2.5", "cosf": "2.27", "sin": "2.5"}})
    written = (tmp_path / "symbols-some.txt").read_text().partition("\n\n")[2]
    assert written == "[sources]\n0a 1\n\n[libm.so.6 2.5]\n0cos\n3f 2.27\n0sin\n"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("g_checksum_new", "g_checksum_*"),
        ("g_array_sized_new", "g_array_sized_*"),  # another library has g_array_get_type
        ("g_malloc", "g_malloc"),  # a family of its own, with which it would end
        ("XGetImage", "XGetImage"),
        ("XOpenIM", "XOpen*"),
        ("XRenderX", "XRenderX"),
    ],
)
def test_names_of_libraries_that_grow_are_families_that_no_neighbour_shares(
    refresh: ModuleType, name: str, known: str
) -> None:
    assert refresh.family(name, {"g_array_get_type", "XGetDevice", "XRenderXY"}) == known


def test_musls_symbols_are_those_of_every_architecture(refresh: ModuleType) -> None:
    text = ".globl one\n.type one, %function;\none:\n#ifdef TIME32\nWEAKTIME64 two\n#endif\n.weak three\n"
    assert refresh.musl_symbols(text) == {"one", "two", "three"}


def test_what_the_linker_adds_is_nobodys(refresh: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_bytes(tiny_elf(exports=["Py_Main", "_edata", "PyInit_math", "__bss_start"]))
    assert refresh.exported(tmp_path / "lib.so") == {"Py_Main"}
