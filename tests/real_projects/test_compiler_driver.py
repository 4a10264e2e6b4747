"""The compiler driver with the real Zig: what builds ask of it, and what it links, for both C libraries."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from crosswheel.formats.elf import Elf, read_elf
from crosswheel.model.job import deaf
from crosswheel.model.targets import parse_target
from crosswheel.system.local_host import local_host
from crosswheel.toolchains.zig import build_target, ensure_zig, warm_up, zig_target

pytestmark = [pytest.mark.slow, pytest.mark.index]

TARGETS = ("cp311-manylinux2014_aarch64", "cp311-musllinux_1_2_aarch64")
_MAIN = """
extern int inner(void);
int outer(void) { return inner(); }
int twice(void) { return 1; }
int starts(void) { return 0; }
"""
_INNER = "int inner(void) { return 1; }\nint other(void) { return 2; }\n"


@dataclass(frozen=True)
class Driver:
    """The driver for one target, in a folder with a few sources."""

    folder: Path
    triple: str

    def run(self, *words: str, name: str = "cc", given: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "bin" / name), *words]
        return subprocess.run(
            command, cwd=self.folder, input=given, capture_output=True, encoding="utf-8", timeout=600, check=False
        )

    def __call__(self, *words: str, name: str = "cc", given: str = "") -> str:
        done = self.run(*words, name=name, given=given)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def link(self, *words: str) -> Elf:
        self("-shared", "-fPIC", *words, "-o", "made.so")
        return read_elf((self.folder / "made.so").read_bytes())


@pytest.fixture(scope="module", params=TARGETS)
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    target = parse_target(request.param)
    host = local_host(offline=False, listener=deaf)
    zig = ensure_zig(host.index, host.cache, host.processes, deaf)
    warm_up(zig, target, cxx=False, processes=host.processes, listener=deaf)
    folder = tmp_path_factory.mktemp("a folder")
    (folder / "bin").mkdir()
    (folder / "compiled").mkdir()
    (folder / "bin" / "zigcc").write_bytes(zig.driver.read_bytes())
    (folder / "bin" / "zigcc").chmod(0o755)
    for name in ("cc", "c++", "gcc", "ar", "as", "ld"):
        (folder / "bin" / name).symlink_to("zigcc")
    lines = [
        f"zig {zig.program}",
        f"cache {zig.cache}",
        f"objects {folder}/compiled",
        f"target {zig_target(target)}",
        f"build-target {build_target()}",
        f"multiarch {target.multiarch}",
        f"library {zig.library}",
        f"linked {folder}/linked",
    ]
    (folder / "zigcc.conf").write_text("".join(f"{line}\n" for line in lines))
    made = Driver(folder, target.multiarch)
    for source, text in (("main.c", _MAIN), ("inner.c", _INNER), ("double.c", "int twice(void) { return 2; }\n")):
        (folder / source).write_text(text)
        made("-O2", "-fPIC", "-c", source)
    made("rcs", "libinner.a", "inner.o", name="ar")
    return made


# ---- what is asked of it --------------------------------------------------------------------------------------


def test_it_reads_from_a_pipe(driver: Driver) -> None:
    assert "answer = 42;" in driver("-E", "-", given="#define A 42\nanswer = A;\n")
    assert '"<stdin>"' in driver("-x", "c", "-E", "-", given="int x;\n")
    assert driver("-x", "c", "-fsyntax-only", "-", given="int x;\n") == ""
    assert driver.run("-x", "c", "-fsyntax-only", "-", given="int x").returncode == 1


@pytest.mark.parametrize("words", [("-E", "-dM", "-"), ("-dM", "-E", "-x", "c", "/dev/null")])
def test_its_macros_are_the_targets(driver: Driver, words: tuple[str, ...]) -> None:
    macros = driver(*words).splitlines()
    assert "#define __aarch64__ 1" in macros
    assert "#define __linux__ 1" in macros
    assert "#define __cplusplus" not in " ".join(macros)


def test_its_macros_are_cxxs_where_cxx_is_asked_for(driver: Driver) -> None:
    assert "#define __cplusplus" in driver("-E", "-dM", "-", name="c++")
    assert "#define __cplusplus" in driver("-x", "c++", "-E", "-dM", "-")


def test_it_stops_where_it_is_told(driver: Driver) -> None:
    assert driver("-fsyntax-only", "main.c") == ""
    assert "outer:" in driver("-S", "-O2", "-o", "-", "main.c")
    assert driver("-S", "-O2", "main.c") == ""
    assert "outer:" in (driver.folder / "main.s").read_text()
    assert "main.c" in driver("-M", "main.c")


def test_it_tells_what_a_source_includes(driver: Driver) -> None:
    (driver.folder / "own.h").touch()
    (driver.folder / "includes.c").write_text('#include <stdio.h>\n#include "own.h"\n')
    assert driver("-MM", "-MT", "made", "includes.c").split() == ["made:", "includes.c", "own.h"]
    assert "stdio.h" in driver("-M", "includes.c")
    assert driver("-MM", "-MF", "told.d", "includes.c") == ""
    assert (driver.folder / "told.d").read_text().split() == ["includes.o:", "includes.c", "own.h"]


def test_several_sources_become_several_objects_or_none(driver: Driver) -> None:
    (driver.folder / "two.c").write_text("int two;\n")
    (driver.folder / "three.c").write_text("int three;\n")
    refused = driver.run("-c", "-o", "both.o", "two.c", "three.c")
    assert refused.returncode == 1
    assert "'-o'" in refused.stderr
    assert not (driver.folder / "both.o").exists()
    driver("-c", "two.c", "three.c")
    assert (driver.folder / "two.o").exists()
    assert (driver.folder / "three.o").exists()


def test_the_linker_makes_objects_of_data(driver: Driver) -> None:
    (driver.folder / "data.bin").write_bytes(b"hello")
    driver("-r", "-b", "binary", "-o", "data.o", "data.bin", name="ld")
    (driver.folder / "has.c").write_text(
        "extern char _binary_data_bin_start[]; int f(void) { return _binary_data_bin_start[0]; }\n"
    )
    assert {"f", "_binary_data_bin_start"} <= driver.link("has.c", "data.o").defined


def test_it_tells_what_it_would_run(driver: Driver) -> None:
    for words in (("-###", "-c", "main.c"), ("-###", "main.c", "-o", "main")):
        done = driver.run(*words)
        assert (done.returncode, done.stdout) == (0, "")
        assert '"' in done.stderr
    assert not (driver.folder / "main").exists()


@pytest.mark.parametrize("question", ["-v", "-###"])
def test_it_tells_its_version(driver: Driver, question: str) -> None:
    done = driver.run(question, name="gcc")
    first, *_, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, "")
    assert first.startswith("clang version ")
    assert last.startswith("gcc version 10.2.1 ")
    assert ".2.17" not in done.stderr
    assert driver("--version").splitlines()[0] == first


def test_it_tells_where_files_are(driver: Driver) -> None:
    libgcc = driver("-print-libgcc-file-name").strip()
    assert Path(libgcc).is_file()
    assert driver("-print-file-name=libgcc.a").strip() == libgcc
    assert Path(driver("-print-file-name=include").strip(), "stddef.h").is_file()
    assert Path(driver("-print-file-name=libc.so").strip()).is_file()
    assert driver("-print-file-name=no-such-file").strip() == "no-such-file"
    install, programs, libraries = driver("-print-search-dirs").splitlines()
    assert Path(install.removeprefix("install: ")).is_dir()
    assert programs == f"programs: ={driver.folder}/bin"
    assert all(Path(path).is_dir() for path in libraries.removeprefix("libraries: =").split(":"))
    assert "/usr/lib" not in libraries.split(":")
    driver.link("main.o", "inner.o", libgcc)


# ---- what it compiles -----------------------------------------------------------------------------------------


def test_what_gcc_warns_about_is_compiled(driver: Driver) -> None:
    (driver.folder / "old.c").write_text("f() { return undeclared(3); }\nchar *p = 1;\ndouble d; int *q = &d;\n")
    done = driver.run("-c", "old.c")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning:") >= 4
    assert driver.run("-c", "old.c", "-Werror").returncode == 1
    assert driver.run("-c", "old.c", "-Werror=int-conversion").returncode == 1
    assert driver.run("-c", "-x", "c++", "old.c").returncode == 1


def test_the_date_is_that_of_the_source(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (driver.folder / "when.h").write_text("const char *when = __DATE__;\n")
    (driver.folder / "when.c").write_text('#include "when.h"\n')
    driver("-O2", "-c", "when.c")
    assert b"Nov 14 2023" in (driver.folder / "when.o").read_bytes()


# ---- what it links --------------------------------------------------------------------------------------------


def exported(elf: Elf) -> set[str]:
    return set(elf.defined)


ALL = {"outer", "twice", "starts", "inner", "other"}


@pytest.mark.parametrize(
    ("words", "exports"),
    [
        ((), ALL),
        (("-Wl,--version-script=some.map",), {"outer"}),
        (("-Wl,--exclude-libs,ALL",), {"outer", "twice", "starts"}),
        (("-Wl,--exclude-libs=libinner",), {"outer", "twice", "starts"}),
        (("-Wl,--exclude-libs,libelse.a",), ALL),
        (("double.o", "-Wl,--allow-multiple-definition"), ALL),
        (("double.o", "-Wl,-z,muldefs"), ALL),
        (("-Wl,--defsym=alias=outer",), ALL | {"alias"}),
        (("-Wl,--defsym,alias=outer", "-Wl,--exclude-libs,ALL"), {"outer", "twice", "starts", "alias"}),
        (("-Wl,-z,text,-z,nodlopen", "-Wl,-init=starts", "-Wl,-fini,starts"), ALL),
        (("-Wl,--dynamic-list=some.list", "-Wl,--export-dynamic-symbol=outer"), ALL),
        (("-u", "other", "-Wl,--undefined=inner", "-lm"), ALL),
        (("-Wl,--unresolved-symbols=ignore-all", "-Wl,--no-undefined"), ALL),
        (("-Wl,--push-state,--as-needed", "-lm", "-Wl,--pop-state"), ALL),
        (("-Wl,-Bsymbolic-functions",), ALL),
    ],
)
def test_words_of_the_linker_have_their_effect(driver: Driver, words: tuple[str, ...], exports: set[str]) -> None:
    (driver.folder / "some.map").write_text("{ global: outer; not_there; local: *; };\n")
    (driver.folder / "some.list").write_text("{ outer; };\n")
    assert exported(driver.link("main.o", "-L.", "-l:libinner.a", *words)) == exports


def test_a_link_of_bitcode_compiles_once_what_does_not_change(driver: Driver) -> None:
    for name in ("main", "inner"):
        driver("-O2", "-fPIC", "-flto", "-c", f"{name}.c", "-o", f"{name}-lto.o")
    parts: list[set[Path]] = []
    for made in ("once.so", "again.so"):
        driver("-shared", "-flto", "main-lto.o", "inner-lto.o", "-o", made)
        parts.append(set(driver.folder.glob("linked/llvmcache-*")))
    once, again = (driver.folder / name for name in ("once.so", "again.so"))
    assert len(parts[0]) == 2
    assert parts[0] == parts[1]
    assert once.read_bytes() == again.read_bytes()
    assert exported(read_elf(once.read_bytes())) == ALL


def test_names_with_spaces_are_linked_too(driver: Driver) -> None:
    (driver.folder / "a folder").mkdir(exist_ok=True)
    (driver.folder / "a folder" / "main part.o").write_bytes((driver.folder / "main.o").read_bytes())
    (driver.folder / "a folder" / "libinner.a").write_bytes((driver.folder / "libinner.a").read_bytes())
    made = driver.link("a folder/main part.o", "-La folder", "-linner", "-Wl,--exclude-libs,ALL")
    assert exported(made) == {"outer", "twice", "starts"}


def test_a_link_that_lld_refuses_leaves_nothing(driver: Driver) -> None:
    (driver.folder / "made.so").unlink(missing_ok=True)
    done = driver.run("-shared", "main.o", "libinner.a", "-Wl,--no-such-word", "-o", "made.so")
    assert (done.returncode, "no-such-word" in done.stderr) == (1, True)
    assert not (driver.folder / "made.so").exists()


def test_sources_are_compiled_and_linked_at_once(driver: Driver) -> None:
    made = driver.link("-O2", "main.c", "libinner.a", "-Wl,--exclude-libs,ALL")
    assert exported(made) == {"outer", "twice", "starts"}


# ---- assembler code -------------------------------------------------------------------------------------------

# Four constants of 16 bytes by one name: gcc's linker keeps them together.
_TABLE = "".join(f"    .quad {number:#x}, {number + 1:#x}\n" for number in range(0x1000, 0x1008, 2))
_CONSTANTS = f"""
    .section .rodata.cst16, "aM", %progbits, 16
    .balign 16
    .globl table
table:
{_TABLE}
    .section .note.GNU-stack, "", %progbits
"""
_WRITTEN = b"".join(number.to_bytes(8, "little") for number in range(0x1000, 0x1008))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cc", ("-c", "table.S", "-o", "table.o")),
        ("cc", ("-c", "table.s", "-otable.o")),
        ("cc", ("-c", "-x", "assembler-with-cpp", "table.txt", "-o", "table.o")),
        ("gcc", ("-c", "table.S")),
        ("as", ("table.s", "-o", "table.o")),
    ],
)
def test_constants_of_assembler_code_stay_together(driver: Driver, name: str, words: tuple[str, ...]) -> None:
    for ending in ("s", "S", "txt"):
        (driver.folder / f"table.{ending}").write_text(_CONSTANTS)
    (driver.folder / "reads.c").write_text("extern const char table[];\nconst char *get(void) { return table; }\n")
    (driver.folder / "table.o").unlink(missing_ok=True)
    driver(*words, name=name)
    driver.link("-O2", "reads.c", "table.o")
    assert _WRITTEN in (driver.folder / "made.so").read_bytes()


def test_constants_stay_together_if_assembler_code_is_linked_at_once(driver: Driver) -> None:
    (driver.folder / "table.S").write_text(_CONSTANTS)
    (driver.folder / "reads.c").write_text("extern const char table[];\nconst char *get(void) { return table; }\n")
    driver.link("-O2", "reads.c", "table.S")
    assert _WRITTEN in (driver.folder / "made.so").read_bytes()


# ---- gcc's pragma for processors ------------------------------------------------------------------------------

_CHECKSUM = """
#include <arm_acle.h>
#include <stdint.h>
{before}
uint32_t step(uint32_t sum, uint64_t data) {{ return __crc32cd(sum, data); }}
{after}
int line(void) {{ return __LINE__; }}
"""
_CRC = '#pragma GCC target ("+crc")'
_PUSHED, _POPPED = '#pragma GCC push_options\n#  pragma GCC target("+crc")', "#pragma GCC pop_options"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (_CRC, "", 0),
        (_PUSHED, _POPPED, 0),
        (_PUSHED, "", 0),
        ("", "", 1),
        (f"{_PUSHED}\n{_POPPED}", "", 1),
        (f"{_CRC}\n#pragma GCC reset_options", "", 1),
        (f"#if 0\n{_CRC}\n#endif", "", 1),
    ],
)
@pytest.mark.parametrize("ending", ["c", "cpp"])
def test_a_pragma_of_gcc_allows_more_instructions(
    driver: Driver, before: str, after: str, code: int, ending: str
) -> None:
    (driver.folder / f"crc.{ending}").write_text(_CHECKSUM.format(before=before, after=after))
    (driver.folder / "crc.o").unlink(missing_ok=True)
    words = ["-O2", "-Wall", "-Werror=unknown-pragmas", "-fPIC", "-MD", "-MF", "crc.d", "-c", f"crc.{ending}"]
    done = driver.run(*words, name="c++" if ending == "cpp" else "cc")
    assert done.returncode == code, done.stderr
    assert (driver.folder / "crc.o").is_file() == (code == 0)
    assert (driver.folder / "crc.d").read_text().startswith("crc.o:")
    assert not list((driver.folder / "compiled").glob("*.i"))
