"""The compiler driver, compiled once and asked what it would run (ZIGCC_PRINT=1); no Zig is needed for that."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from crosswheel.toolchains.zig import sources
from drivers import LENIENT_IN_C, compiler

TARGET = "aarch64-linux-gnu.2.17"
HEAD = ["-target", TARGET, "-fno-sanitize=undefined", "-g0"]
# What gcc takes without a word, or warns about: in front of the words of whatever compiles.
LENIENT = ["-Qunused-arguments", "-Wno-unknown-warning-option", "-Wno-date-time"]
WITHOUT_FRAME_POINTER = ["-Xclang", "-mframe-pointer=none"]
FUSED, NOT_FUSED = "-ffp-contract=fast-honor-pragmas", "-ffp-contract=off"
NAMES = (
    "cc", "c++", "gcc", "g++", "clang", "clang++", "c89", "c99", "cpp", "as", "ar", "ranlib", "gcc-ar", "gcc-ranlib",
    "ld", "strip", "build-cc", "build-c++",
)  # fmt: skip
# What ccache calls.
OURS = ("zig-cc", "zig-c++", "zig-clang")
CONF = f"""\
zig /opt/zig/zig
cache /opt/zig/cache
target {TARGET}
build-target x86_64-linux-gnu.2.17
multiarch aarch64-linux-gnu
debug no
map /usr/include/python3.13 /target/include/python3.13
hide /usr/include
hide /usr/lib
"""


@dataclass(frozen=True)
class Driver:
    """The compiled program in `folder`/bin under all its names, and its configuration beside that folder."""

    folder: Path

    def configure(self, *more: str, target: str = TARGET, debug: bool = False) -> None:
        text = CONF.replace(TARGET, target).replace("debug no", f"debug {'yes' if debug else 'no'}")
        (self.folder / "zigcc.conf").write_text(text + "".join(f"{line}\n" for line in more))

    def start(self, name: str, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "bin" / name), *words]
        environ = {**os.environ, "ZIGCC_PRINT": "1", "ASAN_OPTIONS": "detect_leaks=0"}  # it ends: nothing is freed
        return subprocess.run(
            command, env=environ, cwd=self.folder, capture_output=True, encoding="utf-8", timeout=60, check=False
        )

    def __call__(self, *words: str, name: str = "cc") -> list[str]:
        """What Zig would get, without the words that every command line begins with."""
        done = self.start(name, words)
        assert (done.returncode, done.stderr) == (0, "")
        mode, *rest = done.stdout.splitlines()
        assert mode in {"cc", "c++"}
        assert rest[: len(HEAD)] == HEAD
        return without([*WITHOUT_FRAME_POINTER, FUSED], without([*LENIENT, *LENIENT_IN_C], rest[len(HEAD) :]))


def without(common: Sequence[str], words: list[str]) -> list[str]:
    """The words but for those that stand in every command."""
    return [word for word in words if word not in common]


def compiled(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    files = [str(source) for source in sources("zigcc") if source.suffix == ".c"]
    command = [*compiler(), *flags, *files, "-o", str(bin_folder / "zigcc")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300, check=False)
    for name in (*NAMES, *OURS, *(f"aarch64-linux-gnu-{name}" for name in NAMES)):
        (bin_folder / name).symlink_to("zigcc")
    return done


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    folder = tmp_path_factory.mktemp("zigcc")
    done = compiled(folder, "-O1")
    assert done.returncode == 0, done.stderr
    return Driver(folder)


@pytest.fixture
def driver(program: Driver) -> Driver:
    program.configure()
    return program


def test_a_runtime_is_linked_if_something_of_it_is_used(program: Driver) -> None:
    program.configure("runtime /libgcc_s.so.1")
    words = program.start("cc", ["-shared", "x.o"]).stdout.splitlines()
    at = words.index("/libgcc_s.so.1")
    assert words[at - 1 : at + 2] == ["-Wl,--as-needed", "/libgcc_s.so.1", "-Wl,--no-as-needed"]
    assert "/libgcc_s.so.1" not in program.start("cc", ["-c", "x.c"]).stdout.splitlines()


def test_the_processor_is_chosen_for_the_target_alone_and_the_callers_choice_comes_later(program: Driver) -> None:
    """Zig uses the last one."""
    program.configure("word -mcpu=z196", target="s390x-linux-gnu.2.17")
    words = program.start("cc", ["-march=z14", "-c", "x.c"]).stdout.splitlines()
    assert [word for word in words if word.startswith("-mcpu=")] == ["-mcpu=z196", "-mcpu=z14"]
    assert "-mcpu=z196" in program.start("cc", ["-shared", "x.o"]).stdout.splitlines()
    assert "-mcpu=z196" not in program.start("build-cc", ["-c", "x.c"]).stdout.splitlines()


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    done = compiled(tmp_path, "-Wall", "-Wextra", "-Werror", "-O2")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_targets_libraries_of_build_requirements_come_first(driver: Driver, tmp_path: Path) -> None:
    """Also where the build made a link to this machine's, and where -l:FILE names one."""
    here, there = tmp_path / "environment" / "x", tmp_path / "over" / "x"
    for folder in (here, there):
        folder.mkdir(parents=True)
        (folder / "libx.so.1").touch()
    (here / "libx.so").symlink_to("libx.so.1")
    (here / "libstatic.a").touch()
    driver.configure(f"over {tmp_path / 'environment'} {tmp_path / 'over'}")
    assert driver("x.o", f"-L{here}", "-lx") == ["x.o", f"-L{there}", f"-L{here}", "-lx", "-s"]
    assert driver("x.o", "-L", f"{here}/../x", "-lx") == ["x.o", f"-L{there}", "-L", f"{here}/../x", "-lx", "-s"]
    assert driver("x.o", f"-Wl,-L{here}") == ["x.o", f"-L{there}", f"-L{here}", "-s"]
    assert driver("x.o", f"{here}/libx.so", f"{here}/libx.so.1") == ["x.o", *[f"{there}/libx.so.1"] * 2, "-s"]
    assert driver("x.o", f"-L{here}", "-l:libx.so.1") == ["x.o", f"-L{there}", f"-L{here}", f"{there}/libx.so.1", "-s"]
    assert driver("x.o", f"{here}/libstatic.a", f"-I{here}") == ["x.o", f"{here}/libstatic.a", f"-I{here}", "-s"]


# ---- one flag at a time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flag",
    [
        # parts of gcc that Zig has not got, or brings itself
        "-static-libgcc", "-static-libstdc++", "-latomic", "-lgcc", "-lstdc++", "-pipe", "-m64", "-ffat-lto-objects",
        "-fno-fat-lto-objects", "-fuse-linker-plugin", "-fno-semantic-interposition", "-fno-lifetime-dse",
        "-fno-plt", "-fstack-clash-protection", "-fcf-protection", "-fcf-protection=full",
        "-mbranch-protection=standard", "-specs=/usr/lib/rpm/redhat-hardened-cc1", "-Wp,-U_FORTIFY_SOURCE",
        # how gcc optimises, and how it talks
        "-fgcse", "-fno-gcse", "-fno-gcse-after-reload", "-fipa-pta", "-fno-ipa-cp-clone", "-fira-loop-pressure",
        "-fno-tree-vrp", "-ftree-parallelize-loops=4", "-fgraphite-identity", "-floop-nest-optimize", "-fweb",
        "-fno-schedule-insns2", "-fmodulo-sched", "-fsched-spec-load", "-fexpensive-optimizations", "-fno-peephole2",
        "-frename-registers", "-falign-jumps=16", "-fno-toplevel-reorder", "-fprefetch-loop-arrays",
        "-fsection-anchors", "-fsplit-loops", "-fno-crossjumping", "-fvect-cost-model=dynamic", "-finline-limit=500",
        "-fno-gnu-unique",
        "-fwhole-program", "-flto-partition=none", "-fmax-errors=5", "-fdiagnostics-urls=never", "-fopt-info-vec",
        "-fno-diagnostics-show-caret", "-frandom-seed=1", "--param=max-inline-insns-single=500", "-fno-trapv",
        "-mlow-precision-div", "-mpc-relative-literal-loads", "-moverride=x", "-fomit-frame-pointer",
        # another target, processor, linker or Python than ours
        "--target=x86_64-linux-gnu", "--gcc-toolchain=/usr", "-fuse-ld=gold", "-fuse-ld=lld", "-march=native",
        "-mcpu=native", "-mtune=generic", "-mtune=native", "-lpython3.13", "-lpython3.13t", "-lpython3",
        # debug information
        "-g", "-g1", "-g3", "-ggdb", "-gdwarf-4", "-gsplit-dwarf", "-fvar-tracking", "-fno-var-tracking",
        "-fanalyzer", "-fcallgraph-info=su", "-fargument-noalias", "-fno-cf-protection", "-fno-trampolines",
        "-fvar-tracking-assignments", "-fno-var-tracking-assignments", "-fdebug-prefix-map=/a=/b", "-s",
        # words of the linker
        "-Wl,-Map=x.map", "-Wl,-Map,x.map", "-Wl,--Map=x.map", "-Wl,--Map,x.map", "-Wl,--fix-cortex-a53-835769",
        "-Wl,--no-fix-cortex-a53-843419", "-Wl,-(", "-Wl,-)", "-Wl,-z,text", "-Wl,-m,aarch64linux",
        "-Wl,--dynamic-linker=/lib/ld.so", "-Wl,-O0", "-Wl,-O1", "-Wl,-O2", "-Wl,-s", "-Wl,--strip-all", "-Wl,-x",
        "-Wl,--discard-all", "-Wl,--no-copy-dt-needed-entries", "-Wl,--copy-dt-needed-entries", "-Wl,--warn-common",
        "-Wl,--no-keep-memory", "-Wl,--reduce-memory-overheads", "-Wl,--relax", "-Wl,--no-relax", "-Wl,--push-state",
        "-Wl,--pop-state", "-Wl,--stats", "-Wl,--traditional-format", "-Wl,-t", "-Wl,--trace", "-Wl,--print-map",
        "-Wl,-M", "-Wl,-z,pack-relative-relocs", "-Wl,-z,separate-code", "-Wl,-z,combreloc", "-Wl,-zcombreloc",
        "-Wl,-zpack-relative-relocs", "-Wl,-zseparate-code", "-Wl,-z,max-page-size=16384", "-Wl,-zmax-page-size=4096",
        "-Wl,-plugin-opt=O2", "-Wl,-plugin-opt,O2", "-Wl,--hash-size=997", "-Wl,--package-metadata={}",
        "-Wl,--threads=4", "-Wl,--no-threads", "-Wl,--demangle", "-Wl,--cref",
        "-Wl,--verbose", "-Wl,--error-limit=0", "-Wl,--no-export-dynamic", "-Wl,--discard-none",
        # folders of this machine
        "-I/usr/include", "-I/usr/include/openssl", "-isystem/usr/include", "-L/usr/lib", "-L/usr/lib/x86_64-linux-gnu",
        "-Wl,-L/usr/lib", "-Wl,-L,/usr/lib", "-Wl,--library-path=/usr/lib", "-isysroot/", "--sysroot=/", "-R/usr/lib",
        "-Wl,-rpath,/usr/lib", "-Wl,-rpath=/usr/lib", "-Wl,--rpath=/opt/x", "-Wl,--rpath,/opt/x", "-Wl,-R/opt/x",
        "-Wl,-R,/opt/x", "-Wl,-rpath-link,/opt/x", "-Wl,-rpath-link=/opt/x", "-Wl,-rpath,relative", "-Wl,-rpath,:::",
        "-Wl,-rpath,$ORIGINAL/x",
    ],
)  # fmt: skip
def test_flags_that_zig_refuses_or_that_name_this_machine_are_dropped(driver: Driver, flag: str) -> None:
    assert driver("-c", "a.c", flag) == ["-c", "a.c"]


@pytest.mark.parametrize(
    "words",
    [
        ("-isystem", "/usr/include"), ("-idirafter", "/usr/include"), ("-iquote", "/usr/include"),
        ("-I", "/usr/include"), ("-L", "/usr/lib"), ("-isysroot", "/opt/sdk"), ("--sysroot", "/opt/sdk"),
        ("-target", "x86_64-linux-gnu"), ("-R", "/usr/lib"), ("-rpath", "/usr/lib"),
        ("-Wl,-rpath", "-Wl,/usr/lib"), ("-Wl,-Map", "-Wl,x.map"), ("-Wl,-z", "-Wl,combreloc"), ("-z", "text"),
        ("--param", "inline-unit-growth=1000"),
        ("-Xlinker", "-rpath", "-Xlinker", "/usr/lib"), ("-Xlinker", "-rpath", "-Wl,/usr/lib"),
        ("-Xlinker", "-Map", "-Xlinker", "x.map"), ("-Xlinker", "-z", "-Xlinker", "separate-code"),
        ("-Xlinker", "-L/usr/lib"), ("-Xlinker", "-s"),
    ],
)  # fmt: skip
def test_a_dropped_flag_takes_its_value_with_it(driver: Driver, words: tuple[str, ...]) -> None:
    assert driver("-c", *words, "a.c") == ["-c", "a.c"]


@pytest.mark.parametrize(
    "flag",
    [
        "-O0", "-Wall", "-fPIC", "-shared", "-pthread", "-std=c11", "-DNDEBUG", "-DX=-Wl,-s", "-UNDEBUG",
        "-flto=thin", "-fvisibility=hidden", "-fno-strict-aliasing", "-fopenmp-simd", "-lm", "-lz", "-Wp,-w",
        "-ftree-vectorize", "-fno-tree-slp-vectorize", "-falign-loops=16", "-finline-functions",
        "-fsemantic-interposition",
        "-include", "-I.", "-Iinclude", "-I/build/include", "-I/usr/includes", "-L/build/lib", "-L.", "-isystem/build",
        "-nostdlib", "-rdynamic", "-Wno-error", "-x", "-", "", "@no-such-file", "-Rpass=inline",
    ],
)  # fmt: skip
def test_every_other_flag_is_kept_as_it_is(driver: Driver, flag: str) -> None:
    assert driver("-c", "a.c", flag) == ["-c", "a.c", flag]


def test_cgo_gets_the_debug_information_that_it_reads_types_from(driver: Driver) -> None:
    for source in ("-", "/tmp/cgo-gcc-input-1.c"):  # noqa: S108 - of another program
        asked = ("-w", "-o", "_cgo_.o", "-gdwarf-2", "-c", "-xc", "-g", "-O0", source)
        assert [word for word in driver(*asked) if word.startswith("-g")] == ["-gdwarf-2"]
    assert "-gdwarf-2" not in driver("-gdwarf-2", "-c", "a.c")


def test_export_dynamic_is_rdynamic(driver: Driver) -> None:
    assert driver("-export-dynamic", "a.o") == ["-rdynamic", "a.o", "-s"]


@pytest.mark.parametrize(
    ("flag", "kept"),
    [
        ("-Wl,--as-needed", ["--as-needed"]),
        ("-Wl,-soname,libx.so.1", ["-soname", "libx.so.1"]),
        ("-Wl,-h,libx.so.1", ["-soname", "libx.so.1"]),
        ("-Wl,--version-script=x.map", ["--undefined-version", "--version-script=x.map"]),
        (
            "-Wl,--version-script,x.map,--no-undefined-version",
            ["--undefined-version", "--version-script", "x.map", "--no-undefined-version"],
        ),
        ("-Wl,--undefined=x", ["-u", "x"]),
        ("-Wl,-u,x", ["-u", "x"]),
        ("-Wl,--push-state,--as-needed,--pop-state", ["--as-needed", "--no-as-needed"]),
        (
            "-Wl,--as-needed,--push-state,--whole-archive,a.a,--pop-state",
            ["--as-needed", "--whole-archive", "a.a", "--no-whole-archive"],
        ),
        ("-Wl,--pop-state", []),
        ("-Wl,-z,relro", ["-z", "relro"]),
        ("-Wl,-z,now,-z,combreloc,--gc-sections", ["-z", "now", "--gc-sections"]),
        ("-Wl,--build-id", ["--build-id"]),
        ("-Wl,--start-group", ["--start-group"]),
        ("-Wl,-O1,--sort-common,--as-needed,-z,combreloc", ["--sort-common", "--as-needed"]),
        ("-Wl,-rpath,$ORIGIN", ["-rpath", "$ORIGIN"]),
        ("-Wl,-rpath=$ORIGIN/../x.libs", ["-rpath", "$ORIGIN/../x.libs"]),
        ("-Wl,-rpath,${ORIGIN}/lib", ["-rpath", "${ORIGIN}/lib"]),
        ("-Wl,-R$ORIGIN", ["-rpath", "$ORIGIN"]),
        ("-Wl,-rpath,$ORIGIN/a:/usr/lib:$ORIGIN/b", ["-rpath", "$ORIGIN/a:$ORIGIN/b"]),
        ("-Wl,-rpath=/build/lib:$ORIGIN", ["-rpath", "$ORIGIN"]),
        ("-Wl,-enable-new-dtags,,-rpath,/x,--no-undefined", ["-enable-new-dtags", "--no-undefined"]),
    ],
)
def test_words_of_the_linker_are_judged_one_by_one(driver: Driver, flag: str, kept: list[str]) -> None:
    passed = [word for item in kept for word in ("-Xlinker", item)]
    assert driver("-shared", "a.o", flag) == ["-shared", "a.o", *passed, "-s"]


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("-Wl,--dynamic-list=x.list", ["--dynamic-list=x.list"]),
        ("-Wl,--dynamic-list,x.list", ["--dynamic-list", "x.list"]),
        ("-Wl,--export-dynamic-symbol=f", ["--export-dynamic-symbol=f"]),
        ("-Wl,--unresolved-symbols=ignore-all", ["--unresolved-symbols=ignore-all"]),
        ("-Wl,--allow-multiple-definition", ["--allow-multiple-definition"]),
        ("-Wl,-z,muldefs,-z,nodlopen", ["-z", "muldefs", "-z", "nodlopen"]),
        ("-Wl,-zmuldefs", ["-z", "muldefs"]),
        ("-Wl,--defsym,a=b,--defsym=c=d", ["--defsym", "a=b", "--defsym=c=d"]),
        ("-Wl,-init,f,-fini=g", ["-init", "f", "-fini=g"]),
        ("-Wl,--exclude-libs,ALL", ["--exclude-libs=ALL"]),
        ("-Wl,--exclude-libs=libz.a:libm", ["--exclude-libs=libz.a", "--exclude-libs=libm.a"]),
        ("-Wl,-Bsymbolic-functions", ["-Bsymbolic-functions"]),
        ("-Wl,--fix-cortex-a53-843419", ["--fix-cortex-a53-843419"]),
        ("-Wl,--only-lld-knows,its-value", ["--only-lld-knows", "its-value"]),
    ],
)
def test_words_that_zig_refuses_are_for_lld_itself(driver: Driver, flag: str, words: list[str]) -> None:
    assert driver("-shared", "a.o", flag, "-lm") == ["-shared", "a.o", "-lm", "-s", "lld:", *words]


def test_a_library_is_found_by_the_name_of_its_file(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "libx.so.1").touch()
    assert driver("a.o", f"-L{tmp_path}", "-l:libx.so.1") == ["a.o", f"-L{tmp_path}", f"{tmp_path}/libx.so.1", "-s"]
    assert driver("a.o", "-l:libx.so.2") == ["a.o", "-l:libx.so.2", "-s"]


def test_why_a_flag_is_dropped_can_be_asked(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIGCC_WHY", "1")
    done = driver.start("cc", ["-c", "a.c", "-fno-gcse", "-Wl,-Map=x", "-z", "text", "-pipe"])
    told = [line.split(" is dropped: ") for line in done.stderr.splitlines()]
    assert [word for word, _ in told] == ["zigcc: -fno-gcse", "zigcc: -Map=x", "zigcc: text", "zigcc: -pipe"]
    assert all(why for _, why in told)


def test_words_of_the_linker_that_belong_together_may_stand_in_two_flags(driver: Driver) -> None:
    words = ["-Wl,-soname", "-Wl,libx.so", "-Xlinker", "-rpath", "-Xlinker", "$ORIGIN", "b.o", "-Wl,--as-needed", "-lz"]
    assert driver("-shared", "a.o", *words) == [
        "-shared", "a.o", "-Xlinker", "-soname", "-Xlinker", "libx.so", "-Xlinker", "-rpath", "-Xlinker", "$ORIGIN",
        "b.o", "-Xlinker", "--as-needed", "-lz", "-s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flag", "translated"),
    [
        ("-lgcc_s", ["-lunwind"]),
        ("-Wl,-lz", ["-lz"]),
        ("-Wl,--library=z", ["-lz"]),
        ("-znow", ["-Xlinker", "-z", "-Xlinker", "now"]),
        ("-Wp,-MD,a.d", ["-MD", "-MF", "a.d"]),
        ("-Wp,-MMD,a.d,-DX", ["-MMD", "-MF", "a.d", "-DX"]),
        ("-flto", ["-flto=thin"]),
        ("-flto=auto", ["-flto=thin"]),
        ("-flto=8", ["-flto=thin"]),
        ("-flto=full", ["-flto"]),
        ("-Wp,-D_FORTIFY_SOURCE=2", ["-D_FORTIFY_SOURCE=2"]),
        ("-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3,-D_GLIBCXX_ASSERTIONS",
         ["-D_FORTIFY_SOURCE=3", "-D_GLIBCXX_ASSERTIONS"]),
        ("-Wl,-L/build/lib", ["-L/build/lib"]),
        ("-Wl,-L,/build/lib", ["-L/build/lib"]),
        ("-Wl,--library-path=/build/lib", ["-L/build/lib"]),
        ("-march=armv8-a", ["-mcpu=generic"]),
        ("-march=armv8-a+crc+crypto", ["-mcpu=generic+crc+crypto"]),
        ("-march=armv8.2-a+fp16+dotprod+nosve", ["-mcpu=generic+v8_2a+fullfp16+dotprod-sve"]),
        ("-march=armv8.5-a+memtag+rng+profile+simd+fp+rdma",
         ["-mcpu=generic+v8_5a+mte+rand+spe+neon+fp_armv8+rdm"]),
        ("-march=armv9-a+sve2-bitperm", ["-mcpu=generic+v9a+sve2_bitperm"]),
        ("-mcpu=cortex-a72", ["-mcpu=cortex_a72"]),
        ("-mcpu=cortex-a72+nocrypto", ["-mcpu=cortex_a72-crypto"]),
        ("-mcpu=neoverse-n1+fp16", ["-mcpu=neoverse_n1+fullfp16"]),
    ],
)  # fmt: skip
def test_flags_are_translated_where_zig_has_another_name(driver: Driver, flag: str, translated: list[str]) -> None:
    assert driver("-c", "a.c", flag) == ["-c", "a.c", *translated]


@pytest.mark.parametrize(
    ("target", "flag", "translated"),
    [
        ("x86_64-linux-gnu.2.17", "-march=x86-64-v2", ["-mcpu=x86_64_v2"]),
        ("x86-linux-gnu.2.17", "-march=i686", ["-mcpu=i686"]),
        ("powerpc64le-linux-gnu.2.17", "-mcpu=power8", ["-mcpu=pwr8"]),
        ("s390x-linux-gnu.2.17", "-march=z13", ["-mcpu=z13"]),
        ("riscv64-linux-gnu.2.31", "-march=rv64gc", []),
        ("arm-linux-gnueabihf.2.17", "-march=armv7-a+fp", []),
        ("arm-linux-gnueabihf.2.17", "-march=armv7-a+simd", ["-mcpu=baseline"]),
        ("arm-linux-gnueabihf.2.17", "-mfpu=vfpv3-d16", []),
        ("arm-linux-gnueabihf.2.17", "-mfpu=neon", ["-mcpu=baseline"]),
        ("arm-linux-gnueabihf.2.17", "-mfpu=neon-vfpv4", ["-mcpu=baseline+vfp4"]),
        ("arm-linux-gnueabihf.2.17", "-mfpu=crypto-neon-fp-armv8", ["-mcpu=baseline+vfp4+fp_armv8+crypto"]),
        ("arm-linux-gnueabihf.2.17", "-mcpu=cortex-a7", ["-mcpu=cortex_a7"]),
    ],
)
def test_processors_are_named_as_zig_names_them(program: Driver, target: str, flag: str, translated: list[str]) -> None:
    program.configure(target=target)
    assert program.start("cc", ["-c", "a.c", flag]).stdout.splitlines()[5 + len(LENIENT + LENIENT_IN_C) :] == [
        "-c",
        "a.c",
        *translated,
    ]


# ---- folders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "translated"),
    [
        (["-I/usr/include/python3.13"], ["-I/target/include/python3.13"]),
        (["-I", "/usr/include/python3.13/cpython"], ["-I", "/target/include/python3.13/cpython"]),
        (["-isystem", "/usr/include/python3.13"], ["-isystem", "/target/include/python3.13"]),
        (["-isystem/usr/include/python3.13/"], ["-isystem/target/include/python3.13/"]),
        (["-I/usr/include/python3.130"], []),
    ],
)
def test_headers_of_this_machines_python_become_the_targets(
    driver: Driver, words: list[str], translated: list[str]
) -> None:
    assert driver("-c", "a.c", *words) == ["-c", "a.c", *translated]


def test_a_hidden_folder_is_known_under_other_spellings_too(driver: Driver, tmp_path: Path) -> None:
    hidden = tmp_path / "host"
    (hidden / "include").mkdir(parents=True)
    (tmp_path / "link").symlink_to(hidden)
    driver.configure(f"hide {hidden.resolve()}")
    spellings = [f"{tmp_path}//host/include", f"{tmp_path}/./host", f"{hidden}/include/../include", f"{tmp_path}/link"]
    assert driver("-c", "a.c", *(f"-I{folder}" for folder in spellings)) == ["-c", "a.c"]


def test_a_sysroot_comes_last_and_its_folders_are_never_hidden(driver: Driver) -> None:
    driver.configure("include /usr/lib/sysroot/usr/include", "lib /usr/lib/sysroot/usr/lib")
    asked = ["-I/usr/lib/sysroot/usr/include/foo", "-L/usr/lib/sysroot/usr/lib", "-L/usr/lib"]
    end = ["-idirafter", "/usr/lib/sysroot/usr/include"]
    assert driver("-c", "a.c", *asked) == ["-c", "a.c", *asked[:2], *end]
    assert driver("-shared", "a.o", "-lz") == ["-shared", "a.o", "-lz", *end, "-L/usr/lib/sysroot/usr/lib", "-s"]


# ---- the whole command line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words", "mode"),
    [
        ("cc", ["-c", "a.c"], "cc"),
        ("gcc", ["-c", "a.c"], "cc"),
        ("clang", ["-c", "a.c"], "cc"),
        ("c++", ["-c", "a.c"], "c++"),
        ("g++", ["a.o"], "c++"),
        ("clang++", ["a.o"], "c++"),
        ("aarch64-linux-gnu-gcc", ["-c", "a.c"], "cc"),
        ("aarch64-linux-gnu-g++", ["a.o"], "c++"),
        ("aarch64-linux-gnu-clang++", ["a.o"], "c++"),
        *(("cc", ["-c", f"a{end}"], "c++") for end in (".cc", ".cp", ".cxx", ".cpp", ".CPP", ".c++", ".C", ".ii")),
        ("cc", ["-c", "a.S", "-o", "a.cpp"], "cc"),
        ("cc", ["-c", "-DX=a.cpp", "a.c"], "cc"),
        ("cc", ["-std=c++17", "-c", "a.c"], "c++"),
        ("cc", ["-std=gnu++14", "-c", "a.c"], "c++"),
        ("cc", ["-std=c17", "-c", "a.c"], "cc"),
        ("cc", ["a.o", "-lstdc++"], "c++"),
        ("cc", ["a.o", "-lc++"], "c++"),
        ("cc", ["-x", "c++", "-E", "-"], "c++"),
        ("cc", ["-xc++", "-E", "-"], "c++"),
        ("cc", ["-x", "c", "-E", "-"], "cc"),
    ],
)
def test_cxx_is_told_by_the_programs_name_and_by_what_it_is_given(
    driver: Driver, name: str, words: list[str], mode: str
) -> None:
    assert driver.start(name, words).stdout.splitlines()[0] == mode


@pytest.mark.parametrize("stage", ["-c", "-S", "-E", "-M", "-MM", "-fsyntax-only"])
def test_only_a_link_is_stripped(driver: Driver, stage: str) -> None:
    assert driver("a.c", stage) == ["a.c", stage]
    assert driver("a.c", "-o", "a") == ["a.c", "-o", "a", "-s"]


def test_debug_information_stays_where_it_is_asked_for(driver: Driver) -> None:
    driver.configure(debug=True)
    done = driver.start("cc", ["-g", "-fdebug-prefix-map=/a=/b", "a.o", "-o", "a"])
    head = [word for word in HEAD if word != "-g0"]
    assert done.stdout.splitlines() == ["cc", *head, "-g", "-fdebug-prefix-map=/a=/b", "a.o", "-o", "a"]


def test_the_compiler_of_the_building_machine_gets_its_arguments_but_for_debug_information(driver: Driver) -> None:
    words = ["-I/usr/include", "-fopenmp", "-Wl,-rpath,/usr/lib", "a.c", "-o", "generator"]
    head = ["-target", "x86_64-linux-gnu.2.17", "-fno-sanitize=undefined", "-g0"]
    assert driver.start("build-cc", ["-g", *words]).stdout.splitlines() == ["cc", *head, *words, "-s"]
    assert driver.start("build-c++", words).stdout.splitlines() == ["c++", *head, *words, "-s"]


@pytest.mark.parametrize("prefix", ["", "aarch64-linux-gnu-"])
@pytest.mark.parametrize(
    ("name", "tool"), [("ar", ["ar"]), ("ranlib", ["ranlib"]), ("ld", ["ld.lld", "-m", "aarch64linux"])]
)
def test_tools_are_zigs_with_the_arguments_as_they_are(driver: Driver, prefix: str, name: str, tool: list[str]) -> None:
    words = ["rcs", "-g", "@list.rsp", "-L/usr/lib"]
    last = ["-O0"] if name == "ld" else []
    assert driver.start(prefix + name, words).stdout.splitlines() == [*tool, *words, *last]


def test_strip_has_nothing_to_do(driver: Driver) -> None:
    done = driver.start("aarch64-linux-gnu-strip", ["--strip-debug", "x.so"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("question", ["-print-multiarch", "--print-multiarch", "-dumpmachine"])
@pytest.mark.parametrize("name", ["cc", "c++", "aarch64-linux-gnu-gcc"])
def test_it_knows_for_which_machine_it_compiles(driver: Driver, name: str, question: str) -> None:
    done = driver.start(name, ["-O2", question])
    assert (done.returncode, done.stdout) == (0, "aarch64-linux-gnu\n")


@pytest.mark.parametrize("flag", ["-fopenmp", "-fopenmp=libomp"])
def test_openmp_is_refused_for_no_target_has_its_runtime(driver: Driver, flag: str) -> None:
    done = driver.start("cc", ["-c", "a.c", flag])
    message = f"zigcc: error: unsupported option '{flag}': no OpenMP runtime for this target\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


@pytest.mark.parametrize("flag", ["-fnon-call-exceptions", "-fsingle-precision-constant", "-funsigned-bitfields"])
def test_what_clang_would_pass_over_is_refused(driver: Driver, flag: str) -> None:
    done = driver.start("cc", ["-c", "a.c", flag])
    assert done.returncode == 1
    assert done.stderr.startswith(f"zigcc: error: unsupported option '{flag}': only gcc has it; with clang, ")
    assert driver.start("cc", ["-shared", flag, "a.o"]).returncode == 0


def test_signaling_nans_are_kept_by_clangs_own_flag(driver: Driver) -> None:
    words = driver("cc", "-c", "a.c", "-fsignaling-nans")
    assert "-ftrapping-math" in words
    assert "-fsignaling-nans" not in words


# ---- response files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t ", []),
        ("-c a.c\r\n-DX\n", ["-c", "a.c", "-DX"]),
        ("-c -g -Wl,-rpath,/usr/lib 'a b.c'", ["-c", "a b.c"]),
        (r'-c -DX="a b" -DY=\"z\" a\ b.c', ["-c", "-DX=a b", '-DY="z"', "a b.c"]),
        (r"-c -DX='a\'b' '' a.c", ["-c", "-DX=a'b", "", "a.c"]),
        ("-c a.c \\", ["-c", "a.c", ""]),
        ("-c 'never closed", ["-c", "never closed"]),
        (f"-c -D{'x' * 100_000}", ["-c", f"-D{'x' * 100_000}"]),
    ],
)
def test_response_files_are_read_as_gcc_documents_them(
    driver: Driver, tmp_path: Path, text: str, words: list[str]
) -> None:
    file = tmp_path / "words.rsp"
    file.write_text(text)
    linking = [] if "-c" in words or not words else ["-s"]
    assert driver(f"@{file}") == [*words, *linking]


def test_a_response_file_may_name_another(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "inner").write_text("-DINNER b.cpp")
    (tmp_path / "outer").write_text(f"-c @{tmp_path}/inner -DOUTER")
    done = driver.start("cc", [f"@{tmp_path}/outer"])
    assert done.stdout.splitlines() == ["c++", *HEAD, *LENIENT, "-c", "-DINNER", "b.cpp", "-DOUTER"]


def test_response_files_that_name_each_other_end_with_an_error(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"@{tmp_path}/b @{tmp_path}/b")
    (tmp_path / "b").write_text(f"@{tmp_path}/a @{tmp_path}/a")
    done = driver.start("cc", [f"@{tmp_path}/a"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"zigcc: @{tmp_path}/b: files name each other for ever\n"


# ---- mistakes and odd input -----------------------------------------------------------------------------------


def test_without_its_configuration_it_says_what_is_missing(driver: Driver) -> None:
    conf = driver.folder / "zigcc.conf"
    conf.unlink()
    done = driver.start("cc", ["-c", "a.c"])
    assert (done.returncode, done.stderr) == (1, f"zigcc: {conf}: No such file or directory\n")
    conf.write_text("zig /opt/zig/zig\ncache\n\ntarget x\n")
    done = driver.start("cc", ["-c", "a.c"])
    assert (done.returncode, done.stderr) == (1, f"zigcc: {conf} lacks zig, cache, target or build-target\n")


def test_a_zig_that_is_not_there_is_named(driver: Driver) -> None:
    (driver.folder / "zigcc.conf").write_text(CONF.replace("/opt/zig/zig", "/no/such/zig"))
    environ = {name: value for name, value in os.environ.items() if name != "ZIGCC_PRINT"}
    command = [str(driver.folder / "bin" / "cc"), "-c", "a.c"]
    done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert (done.returncode, done.stderr) == (127, "zigcc: /no/such/zig: No such file or directory\n")


def test_odd_arguments_never_make_it_read_or_write_past_an_end(tmp_path: Path) -> None:
    if compiled(tmp_path, "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g").returncode:
        pytest.skip("the C compiler here has no address sanitizer")
    sanitized = Driver(tmp_path)
    dice = random.Random(20261122)  # noqa: S311 - the same arguments in every run
    heads = [
        "-Wl,", "-Wl,-rpath,", "-Wl,-rpath=", "-Wl,-z,", "-Wl,-R", "-Wl,-L", "-Wp,-D", "-Wp,-U", "-Xlinker", "-I", "-L",
        "-R", "-x", "-o", "-isystem", "-iquote", "-isysroot", "--sysroot", "-target", "-rpath", "-march=", "-mcpu=",
        "-march=armv8.2-a+", "-march=armv", "-mcpu=power", "-std=", "-flto=", "-g", "-l", "@", "-D", ".", "-", "", "+",
    ]  # fmt: skip
    tails = [
        "", ",", ",,", ":", "$ORIGIN", "$ORIGIN:", ":".join(["$ORIGIN/a", "/b"] * 500), "=", "+", "-", "no", "é", "\n",
        "/usr/include/python3.13/" + "d/" * 3000, "/usr/lib", "c++", "x" * 5000, "+".join(["fp16", "no", "crc"] * 300),
        "armv99999999999999999999.9", "a,-rpath", "-Xlinker", "%s%n%d",
    ]  # fmt: skip
    for target in (TARGET, "powerpc64le-linux-gnu.2.17"):
        sanitized.configure(target=target)
        for _ in range(60):
            words = [dice.choice(heads) + dice.choice(tails) for _ in range(dice.randrange(12))]
            done = sanitized.start(dice.choice(NAMES), [*words, dice.choice(heads)])
            assert "Sanitizer" not in done.stderr, (words, done.stderr)
            assert "runtime error" not in done.stderr, (words, done.stderr)
            assert done.returncode in {0, 1}, (words, done.stderr)


@pytest.mark.parametrize(
    ("name", "words", "translated"),
    [
        ("c99", ["-c", "a.c"], ["-std=c99", "-c", "a.c"]),
        ("c89", ["-std=gnu89", "-c", "a.c"], ["-std=c89", "-std=gnu89", "-c", "a.c"]),
        ("cpp", ["-P", "a.in"], ["-E", "-xc", "-P", "a.in"]),
        ("cpp", ["-I", "x", "a.in", "a.out"], ["-E", "-xc", "-I", "x", "a.in", "-o", "a.out"]),
        ("cpp", ["-v"], ["-E", "-xc", "-v", "-"]),
        ("as", ["-o", "a.o", "a.s"], ["-c", "-x", "assembler", "-o", "a.o", "a.s"]),
        ("as", ["--noexecstack", "--defsym", "A=1", "-I", "x", "a.s"],
         ["-c", "-x", "assembler", "-Wa,--noexecstack", "-Wa,--defsym", "-Wa,A=1", "-I", "x", "a.s", "-oa.out"]),
        ("as", [], ["-c", "-x", "assembler", "-oa.out", "-"]),
        ("as", ["--version"], ["-c", "-x", "assembler", "-Wa,--version", "-o/dev/null", "/dev/null"]),
        ("cc", ["-E", "-Wp,-v", "-"], ["-E", "-v", "-"]),
    ],
)  # fmt: skip
def test_other_names_of_compilers_mean_the_targets(
    driver: Driver, name: str, words: list[str], translated: list[str]
) -> None:
    assert driver(*words, name=name) == translated


def test_what_this_machines_gcc_has_assembled_is_for_this_machine(driver: Driver) -> None:
    assert driver.start("as", ["--64", "-o", "a.o", "a.s"]).stdout.split() == ["--64", "-o", "a.o", "a.s"]


def test_what_pg_config_of_this_machine_names_is_in_the_sysroot(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "arm/usr/include/postgresql").mkdir(parents=True)
    (tmp_path / "arm/usr/lib").mkdir(parents=True)
    driver.configure(f"root {tmp_path}/arm", f"include {tmp_path}/arm/usr/include", f"lib {tmp_path}/arm/usr/lib")
    given = driver("-I/usr/include", "-I/usr/include/postgresql", "-I/usr/include/only_here", "-c", "a.c")
    assert given[:3] == [f"-I{tmp_path}/arm/usr/include/postgresql", "-c", "a.c"]


def test_optimising_at_the_link_is_left_to_the_bitcode(driver: Driver) -> None:
    assert driver("-flto=auto", "-c", "a.c") == ["-flto=thin", "-c", "a.c"]
    assert driver("-flto=auto", "-shared", "a.o") == ["-shared", "a.o", "-s"]


def test_what_lld_compiles_of_bitcode_is_kept(driver: Driver) -> None:
    (driver.folder / "bitcode.o").write_bytes(b"BC\xc0\xde and more")
    (driver.folder / "elf.o").write_bytes(b"\x7fELF")
    (driver.folder / "short.o").write_bytes(b"BC")
    keeping = ["--thinlto-cache-dir=/kept/lto", "--thinlto-cache-policy=cache_size_bytes=1g"]
    assert driver("-shared", "bitcode.o") == ["-shared", "bitcode.o", "-s"]
    driver.configure("linked /kept/lto")
    assert driver("-shared", "elf.o", "bitcode.o") == ["-shared", "elf.o", "bitcode.o", "-s", "lld:", *keeping]
    assert driver("-shared", "elf.o", "short.o") == ["-shared", "elf.o", "short.o", "-s"]
    assert driver("-c", "a.c", "bitcode.o") == ["-c", "a.c", "bitcode.o"]


def test_where_only_objects_are_linked_no_flag_makes_zig_build_other_runtimes(driver: Driver) -> None:
    flags = ["-Os", "-march=armv8-a", "-mcpu=cortex-a72", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]
    assert driver("-shared", *flags, "a.o", "-o", "a.so") == ["-shared", "a.o", "-o", "a.so", "-s"]
    assert driver("-shared", "-Os", "a.c", "-o", "a.so") == ["-UNDEBUG", "-shared", "-Os", "a.c", "-o", "a.so", "-s"]


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["-O3"], ["-UNDEBUG", "-O3"]),
        (["-O3", "-O2", "-DNDEBUG"], ["-UNDEBUG"]),
        (["-O3", "-O0"], []),
        ([], []),
    ],
)
def test_optimising_means_what_it_means_to_gcc(driver: Driver, words: list[str], added: list[str]) -> None:
    assert driver("-c", "a.c", *words) == [*added, "-c", "a.c", *words]  # but for -Xclang
    assert driver("-shared", "a.o", "-O3") == ["-shared", "a.o", "-O3", "-s"]


FINITE = ["-fno-finite-math-only", "-U__FINITE_MATH_ONLY__", "-D__FINITE_MATH_ONLY__=1"]
FAST = ["-Wno-deprecated-ofast", *FINITE, "-D__FAST_MATH__=1"]


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["-ffast-math", "-fno-associative-math"], FAST),
        (["-Ofast"], FAST),
        (["-ffinite-math-only"], FINITE),
        (["-ffinite-math-only", "-fno-fast-math"], FINITE),
        (["-fno-finite-math-only", "-Ofast"], FAST[:2]),
        (["-Ofast", "-O2"], FAST[:2]),
        (["-ffast-math", "-fno-fast-math"], []),
        (["-O2", "-funsafe-math-optimizations"], []),
    ],
    ids=" ".join,
)
def test_infinities_and_nan_are_values_to_clang_as_to_gcc(driver: Driver, words: list[str], added: list[str]) -> None:
    command = driver("a.c", "-c", *words)
    assert command[command.index("-c") :] == ["-c", *words, *added]
    assert driver("a.o", "-shared", *words) == ["a.o", "-shared", *words, "-s"]


def test_fast_and_optimising_is_what_ofast_means(driver: Driver) -> None:
    assert driver("-c", "a.c", "-Ofast")[:5] == ["-UNDEBUG", "-ffast-math", "-O3", "-c", "a.c"]  # but for -Xclang


@pytest.mark.parametrize(
    ("name", "words", "added"),
    [
        ("cc", ["-O2", "-c", "a.c"], FUSED),
        ("cc", ["-O2", "-std=gnu99", "-c", "a.c"], FUSED),
        ("cc", ["-O2", "-std=c99", "-c", "a.c"], NOT_FUSED),
        ("cc", ["-O2", "-ansi", "-c", "a.c"], NOT_FUSED),
        ("c++", ["-O2", "-std=c++11", "-c", "a.cpp"], FUSED),
        ("cc", ["-O0", "-c", "a.c"], ""),
        ("cc", ["-O2", "a.o"], ""),
    ],
)
def test_operations_are_fused_where_gcc_fuses_them(driver: Driver, name: str, words: list[str], added: str) -> None:
    command = driver.start(name, words).stdout.splitlines()
    assert [word for word in command if word.startswith("-ffp-contract")] == ([added] if added else [])


def test_code_does_not_carry_the_folder_that_it_was_built_in(driver: Driver) -> None:
    driver.configure("folder /tmp/job")
    assert driver("-c", "a.c") == ["-ffile-prefix-map=/tmp/job=.", "-c", "a.c"]


# ---- what gcc takes -------------------------------------------------------------------------------------------


def lenient(driver: Driver, *words: str, name: str = "cc") -> list[str]:
    """The words of a command that make warnings of clang's errors."""
    return [word for word in driver.start(name, words).stdout.splitlines() if word in LENIENT_IN_C]


def test_what_gcc_warns_about_in_c_is_a_warning(driver: Driver) -> None:
    assert lenient(driver, "-c", "a.c") == LENIENT_IN_C
    assert lenient(driver, "-c", "a.cpp") == []
    assert lenient(driver, "-c", "a.c", name="c++") == []


@pytest.mark.parametrize(
    "flags", [("-Werror",), ("-pedantic-errors",), ("-Werror=pedantic",), ("-Wno-error", "-Werror")]
)
def test_whoever_wants_errors_gets_them(driver: Driver, flags: tuple[str, ...]) -> None:
    assert lenient(driver, "-c", "a.c", *flags) == []
    assert lenient(driver, "-c", "a.c", *flags, "-w") == LENIENT_IN_C
    words = driver.start("cc", ["-c", "a.c", "-Werror=int-conversion"]).stdout.splitlines()
    assert words.index("-Wno-error=int-conversion") < words.index("-Werror=int-conversion")


@pytest.mark.parametrize(
    ("words", "omitted"),
    [
        (("-O2", "-c", "a.c"), True),
        (("-Og", "-c", "a.c"), True),
        (("-fomit-frame-pointer", "-c", "a.c"), True),
        (("-O2", "a.c", "-o", "a"), True),
        (("-c", "a.c"), False),
        (("-O2", "-O0", "-c", "a.c"), False),
        (("-O2", "-fno-omit-frame-pointer", "-c", "a.c"), False),
        (("-O2", "-pg", "-c", "a.c"), False),
        (("-O2", "a.o", "-o", "a"), False),
    ],
)
def test_optimised_code_goes_without_the_frame_pointer_as_gccs_does(
    driver: Driver, words: tuple[str, ...], omitted: bool
) -> None:
    command = driver.start("cc", words).stdout.splitlines()
    assert ("-mframe-pointer=none" in command) is omitted
    assert "-fomit-frame-pointer" not in command  # Zig would build other runtimes for it


# ---- what is asked of it --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("-dumpversion", "10"),
        ("-dumpfullversion", "10.2.1"),
        ("-print-multi-directory", "."),
        ("-print-multi-lib", ".;"),
        ("-print-multi-os-directory", "../lib"),
        ("-print-prog-name=no-such-program", "no-such-program"),
        ("--print-prog-name=no-such-program", "no-such-program"),
    ],
)
def test_questions_are_answered_as_gcc_answers_them(driver: Driver, question: str, said: str) -> None:
    done = driver.start("gcc", ["-O2", question])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{said}\n", "")


def test_the_programs_beside_it_are_found(driver: Driver) -> None:
    assert driver.start("cc", ["-print-prog-name=ld"]).stdout == f"{driver.folder.resolve()}/bin/ld\n"


# ---- what the target lacks ------------------------------------------------------------------------------------

MISSING = """\
#!/bin/sh
cat >&2 <<'END'
x.c:1:10: fatal error: '{header}' file not found
x.c:1:10: fatal error: 'no-such.h' file not found
x.c:1:10: fatal error: 'sys/{header}' file not found
x.c:2:2: error: "Header '{header}' could not be found"
error: unable to find dynamic system library "{library}" using strategy paths_first. searched paths: none
ld.lld: error: unable to find library -l{library}
ld.lld: error: unable to find library -lno-such
END
kill -9 $$
"""


def test_what_this_machine_has_and_the_target_lacks_is_noted(program: Driver, tmp_path: Path) -> None:
    header = min(Path("/usr/include").glob("*.h"), default=None)
    library = min(Path("/usr/lib/x86_64-linux-gnu").glob("lib*.so"), default=None)
    if header is None or library is None:
        pytest.skip("this machine has no headers in /usr/include, or no libraries in /usr/lib/x86_64-linux-gnu")
    name = library.stem.removeprefix("lib")
    said = MISSING.format(header=header.name, library=name)
    (tmp_path / "zig").write_text(said)
    (tmp_path / "zig").chmod(0o755)
    program.configure(f"zig {tmp_path}/zig")
    environ = {**os.environ, "CROSSWHEEL_LACKING": str(tmp_path / "notes")}
    command = [str(program.folder / "bin" / "cc"), "-shared", "x.o"]
    done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert (done.returncode, done.stdout) == (128 + 9, "")
    assert done.stderr == said.partition("<<'END'\n")[2].partition("END\n")[0]
    assert [json.loads(line)["lacks"] for line in lines(tmp_path / "notes")] == [header.name] * 2 + [name] * 2


# ---- what ccache is given -------------------------------------------------------------------------------------

# Both write down how they were called. Zig compiles by copying, and ccache has the compiler do it. Asked how it starts
# clang, which assembles, Zig says so.
ZIG = """\
#!/bin/sh
[ "$ZIG_VERBOSE_CC" ] && echo "$0 clang -as-zig" >&2 && exit
echo "$ZIG_LOCAL_CACHE_DIR" "$@" >> "{folder}/commands"
[ -e broken ] && exit 1
while [ $# -gt 0 ]; do
  case $1 in -o) object=$2; shift;; -MF) shift;; *.c) source=$1;; esac
  shift
done
test -z "$source" || cp "$source" "${{object:-/dev/null}}"
"""
CCACHE = """\
#!/bin/sh
echo "$CCACHE_DIR" "depend=$CCACHE_DEPEND" "log=$CCACHE_STATSLOG" >> "{folder}/cached"
exec "$@"
"""


@pytest.fixture
def caching(program: Driver, tmp_path: Path) -> Driver:
    """The driver with a Zig and a ccache that write down how they were called."""
    for name, text in (("zig", ZIG), ("ccache", CCACHE)):
        (tmp_path / name).write_text(text.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "compiled").mkdir()
    settings = (f"setting CCACHE_DIR={tmp_path}/kept", "setting CCACHE_STATSLOG=compiles")
    program.configure(f"zig {tmp_path}/zig", f"objects {tmp_path}/compiled", f"ccache {tmp_path}/ccache", *settings)
    (tmp_path / "source").mkdir()
    return program


def compile_in(folder: Path, driver: Driver, *words: str, name: str = "cc") -> int:
    environ = {key: value for key, value in os.environ.items() if key != "ZIGCC_PRINT"}
    command = [str(driver.folder / "bin" / name), *words]
    return subprocess.run(command, env=environ, cwd=folder, timeout=60, check=False).returncode


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_a_compile_goes_through_ccache_and_comes_out_the_same(caching: Driver, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a.c").write_text("int x;")
    words = ["-O2", "-include", "conf.h", "-c", "a.c", "-o", "a.o"]
    assert compile_in(source, caching, *words) == 0
    assert lines(tmp_path / "cached") == [f"{tmp_path}/kept depend=1 log=compiles"]
    conf = caching.folder / "zigcc.conf"
    conf.write_text("".join(line for line in conf.read_text().splitlines(keepends=True) if "ccache" not in line))
    assert compile_in(source, caching, *words) == 0
    with_cache, without_cache = (line.partition(" -MF ")[0] for line in lines(tmp_path / "commands"))
    assert with_cache == without_cache
    assert f"{tmp_path}/compiled cc -target {TARGET}" in with_cache
    assert "-include conf.h -c a.c -o a.o" in with_cache
    assert len(lines(tmp_path / "cached")) == 1


@pytest.mark.parametrize(
    ("asked", "depend", "added"),
    [
        ((), "1", True),
        (("-MD", "-MF", "a.d"), "1", False),
        (("-MD", "-MT", "x", "-MP"), "1", False),
        (("-MMD", "-MF", "a.d"), "", False),  # such a file does not name the system's headers
        (("-Wp,-MD,a.d",), "1", False),
    ],
)
def test_a_dependency_file_is_asked_for_by_the_project_or_by_us(
    caching: Driver, tmp_path: Path, asked: tuple[str, ...], depend: str, added: bool
) -> None:
    source = tmp_path / "source"
    (source / "a.c").touch()
    assert compile_in(source, caching, *asked, "-c", "a.c", "-o", "a.o") == 0
    (cached,) = lines(tmp_path / "cached")
    assert f" depend={depend} " in cached
    (command,) = lines(tmp_path / "commands")
    assert command.endswith(" -MT object") is added
    assert sum(word in {"-MD", "-MMD"} for word in command.split()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("a.o", "-o", "a.so"), ("-E", "a.c", "-o", "a.i"), ("a.c", "-o", "a"), ("-c", "a.s", "-o", "a.o"),
        ("-x", "c", "-c", "-", "-o", "a.o"),
    ],
)  # fmt: skip
def test_nothing_but_a_compile_of_one_source_goes_through_ccache(
    caching: Driver, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "source" / "a.c").touch()
    assert compile_in(tmp_path / "source", caching, *words) == 0
    assert not (tmp_path / "cached").exists()
    (command,) = lines(tmp_path / "commands")
    assert "-MD" not in command.split()
    assert ("clang -as-zig -c a.s -o a.o" in command) == ("a.s" in words)


@pytest.mark.parametrize("source", ["conftest.c", "meson-private/x.c", "CMakeFiles/CMakeScratch/x.c"])
def test_what_configures_is_kept_and_not_counted(caching: Driver, tmp_path: Path, source: str) -> None:
    path = tmp_path / "source" / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert compile_in(tmp_path / "source", caching, "-c", source, "-o", "x.o") == 0
    assert lines(tmp_path / "cached") == [f"{tmp_path}/kept depend=1 log="]


def test_cmake_s_own_files_are_no_compiles_of_the_project(caching: Driver, tmp_path: Path) -> None:
    trying = tmp_path / "build" / "CMakeFiles" / "CMakeScratch" / "TryCompile-1"
    trying.mkdir(parents=True)
    (tmp_path / "CMakeCCompilerABI.c").touch()
    assert compile_in(trying, caching, "-c", str(tmp_path / "CMakeCCompilerABI.c"), "-o", "x.o") == 0
    assert lines(tmp_path / "cached") == [f"{tmp_path}/kept depend=1 log="]


def test_several_sources_are_compiled_one_by_one(caching: Driver, tmp_path: Path) -> None:
    """Zig takes them together without a word, and makes no object of any."""
    source = tmp_path / "source"
    (source / "a.c").touch()
    (source / "b.c").touch()
    assert compile_in(source, caching, "-c", "a.c", "b.c") == 0
    first, second = (without_ours(line) for line in lines(tmp_path / "commands"))
    assert (first[-2:], second[-2:]) == (["-c", "a.c"], ["-c", "b.c"])
    (source / "broken").touch()
    assert compile_in(source, caching, "-c", "a.c", "b.c") == 1
    assert len(lines(tmp_path / "commands")) == 3


def without_ours(line: str) -> list[str]:
    return line.partition(" -MD ")[0].split()


def test_a_program_for_this_machine_gets_libcxx_only_where_it_needs_it(caching: Driver, tmp_path: Path) -> None:
    source = tmp_path / "source"
    assert compile_in(source, caching, "a.o", "-o", "a", name="build-c++") == 0
    (source / "broken").touch()
    assert compile_in(source, caching, "a.o", "-o", "a", name="build-c++") == 1
    assert ["-nostdlib++" in command for command in lines(tmp_path / "commands")] == [True, True, False]


# ---- with the gcc of an image ---------------------------------------------------------------------------------


@pytest.fixture
def against(driver: Driver, tmp_path: Path) -> Driver:
    """With an image that has usr/include/freetype2 and usr/lib64."""
    for name in ("usr/include/freetype2", "usr/lib64"):
        (tmp_path / "image" / name).mkdir(parents=True)
    driver.configure(f"root {tmp_path}/image", "clang --target=aarch64-redhat-linux", "clang -fuse-ld=lld")
    return driver


def as_gcc(driver: Driver, *words: str, name: str = "cc") -> list[str]:
    """What clang would get, without the words that every command line begins with."""
    done = driver.start(name, words)
    assert (done.returncode, done.stderr) == (0, "")
    mode, *rest = done.stdout.splitlines()
    assert mode == "clang"
    cxx = ["--driver-mode=g++"] if "++" in name else []
    head = [*cxx, "--target=aarch64-redhat-linux", "-fuse-ld=lld", "-g0"]
    assert rest[: len(head)] == head
    return without([*LENIENT, *LENIENT_IN_C], rest[len(head) :])


def test_clang_acts_as_the_gcc_of_an_image(against: Driver) -> None:
    assert as_gcc(against, "-c", "a.c") == ["-c", "a.c"]
    assert as_gcc(against, "-O2", "-c", "a.cc", name="g++") == ["-fomit-frame-pointer", FUSED, "-O2", "-c", "a.cc"]


def test_only_the_name_of_the_compiler_links_the_cxx_runtime(against: Driver) -> None:
    assert as_gcc(against, "-shared", "a.o", "-lstdc++") == ["-shared", "a.o", "-lstdc++", "-s"]
    assert as_gcc(against, "-c", "a.cc") == ["-c", "a.cc"]


@pytest.mark.parametrize("words", [["-lgcc_s"], ["-latomic"], ["-static-libgcc"], ["-march=armv8.2-a+fp16"], ["-Os"]])
def test_words_for_gccs_runtimes_are_kept(against: Driver, words: list[str]) -> None:
    assert as_gcc(against, "-shared", "a.o", *words) == ["-shared", "a.o", *words, "-s"]


def test_words_of_the_linker_go_through_clang(against: Driver) -> None:
    given = ["-Wl,--exclude-libs,libz", "-Wl,--defsym=a=1", "-Wl,-z,nognustack", "-Wl,-rpath,/here"]
    linked = ["-Xlinker", "--exclude-libs=libz.a", "-Xlinker", "--defsym=a=1", "-Xlinker", "-z"]
    assert as_gcc(against, "a.o", *given) == ["a.o", *linked, "-Xlinker", "nognustack", "-s"]


def test_clang_hands_on_where_lld_keeps_what_it_compiles(against: Driver) -> None:
    with (against.folder / "zigcc.conf").open("a") as conf:
        conf.write("linked /kept/lto\n")
    (against.folder / "bitcode.o").write_bytes(b"BC\xc0\xde and more")
    keeping = ["--thinlto-cache-dir=/kept/lto", "--thinlto-cache-policy=cache_size_bytes=1g"]
    given = as_gcc(against, "-shared", "bitcode.o")
    assert given == ["-shared", "bitcode.o", "-s", *(word for item in keeping for word in ("-Xlinker", item))]


def test_a_folder_of_this_machine_becomes_that_of_the_image(against: Driver, tmp_path: Path) -> None:
    image = tmp_path / "image"
    given = ["-I/usr/include/freetype2", "-I/usr/include/only_here", "-L/usr/lib", "-c", "a.c"]
    assert as_gcc(against, *given) == [f"-I{image}/usr/include/freetype2", "-c", "a.c"]
    assert as_gcc(against, "-isystem", "/usr/include", f"-I{image}/usr/include/", "-c", "a.c") == ["-c", "a.c"]


def test_pkg_configs_root_is_taken_from_folders_outside_of_the_image(against: Driver, tmp_path: Path) -> None:
    own = tmp_path / "environment/include"
    own.mkdir(parents=True)
    assert as_gcc(against, f"-I{tmp_path}/image{own}", "-c", "a.c") == [f"-I{own}", "-c", "a.c"]


def test_without_openmp_runtime_openmp_is_refused_there_too(against: Driver) -> None:
    assert against.start("cc", ["-fopenmp", "-c", "a.c"]).returncode == 1


def test_the_compiler_for_this_machine_is_zigs(against: Driver) -> None:
    done = against.start("build-cc", ["-c", "a.c"])
    assert done.stdout.splitlines()[:3] == ["cc", "-target", "x86_64-linux-gnu.2.17"]
