"""A bad wheel for each rule, which is caught by that rule and no other; good wheels, which are caught by none."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from bad_wheels import (
    ARM,
    AVX,
    BAD,
    CAS,
    DIST_INFO,
    FAST,
    ID_REGISTER,
    INTEL,
    INTEL_FAST,
    LDADD,
    LDAXR,
    LIKE_A_KEY,
    METADATA,
    NOP,
    OF_PYTHON,
    SDOT,
    STALE,
    STLXR,
    SUFFIX,
    TPREL64,
    Case,
    arm,
    as_object,
    requiring,
    stating,
    stating_imports,
)
from crosswheel.auditing.rules import RULES
from crosswheel.auditing.rules.promise import promise_of
from crosswheel.auditing.rules.rule import Rule
from crosswheel.auditing.run import audit_wheel as audit
from crosswheel.formats.code import _disassembler
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target, architectures, parse_platform, python_tags
from crosswheel.testing import tiny_elf, tiny_wheel


def arm_elf(*instructions: int, undefined: Iterable[str] = ()) -> bytes:
    return tiny_elf(exports=["PyInit_fast", "fast"], undefined=undefined, code=arm(*instructions))


GOOD = {
    "one extension": Case(),
    "its target": Case(target="cp313-manylinux_2_17_aarch64"),
    "an older policy than asked for": Case(target="cp313-manylinux_2_28_aarch64"),
    "a compressed tag": Case(tag=f"{ARM}.manylinux2014_aarch64"),
    "a policy that auditwheel skips": Case(
        tag="cp313-cp313-manylinux_2_29_aarch64",
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], versions_needed={"libm.so.6": ["GLIBC_2.29"]})},
    ),
    "a library of the wheel that every system has": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], needed=["libz.so.1"], versions_needed={"libz.so.1": ["ZLIB_1.2.0"]}
            ),
            "tiny/libz.so.1": tiny_elf(soname="libz.so.1"),
        },
    ),
    "pure": Case(tag="py3-none-any", members={"tiny.py": b""}, target="cp313-manylinux_2_28_aarch64"),
    "abi3": Case(tag="cp311-abi3-manylinux_2_17_aarch64", members={"fast.abi3.so": FAST}),
    "abi3 of an older Python": Case(
        tag="cp311-abi3-manylinux_2_17_aarch64",
        members={"fast.abi3.so": FAST},
        target="cp313-manylinux_2_17_aarch64",
    ),
    "free-threaded": Case(
        tag="cp313-cp313t-manylinux_2_17_aarch64",
        members={"fast.cpython-313t-aarch64-linux-gnu.so": FAST},
        target="cp313t-manylinux_2_17_aarch64",
    ),
    "musl": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={
            "fast.cpython-313-aarch64-linux-musl.so": tiny_elf(
                exports=["PyInit_fast"], needed=["libc.musl-aarch64.so.1"]
            )
        },
        target="cp313-musllinux_1_2_aarch64",
    ),
    "musl by Zig, whose libc.so the loader knows": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={
            "fast.cpython-313-aarch64-linux-musl.so": tiny_elf(exports=["PyInit_fast"], needed=["libc.so"]),
        },
    ),
    "musl before CPython 3.11": Case(
        tag="cp310-cp310-musllinux_1_2_aarch64",
        members={"fast.cpython-310-aarch64-linux-gnu.so": tiny_elf(exports=["PyInit_fast"])},
    ),
    "big endian": Case(
        tag="cp313-cp313-manylinux_2_17_s390x",
        members={
            "fast.cpython-313-s390x-linux-gnu.so": tiny_elf(
                machine="EM_S390", byteorder="big", exports=["PyInit_fast"], needed=["ld64.so.1"]
            )
        },
    ),
    "32 bit": Case(
        tag="cp313-cp313-manylinux_2_17_i686",
        members={
            "fast.cpython-313-i386-linux-gnu.so": tiny_elf(
                machine="EM_386", bits=32, exports=["PyInit_fast"], needed=["ld-linux.so.2"]
            )
        },
    ),
    "two Pythons in one wheel": Case(
        tag="cp312.cp313-cp312.cp313-manylinux_2_17_aarch64",
        members={f"fast{SUFFIX}": FAST, f"fast{STALE}": FAST},
    ),
    "a library of its own": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"],
                needed=["libfoo-1234.so.6"],
                runpath="$ORIGIN/../tiny.libs:${ORIGIN}",
                versions_needed={"libfoo-1234.so.6": ["FOO_9", "GLIBCXX_3.4.99"]},
            ),
            "tiny.libs/libfoo-1234.so.6": tiny_elf(soname="libfoo-1234.so.6", exports=["foo"]),
        }
    ),
    "a sanitizer that is brought along": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], undefined=["__asan_init"], weak=["__ubsan_x"]),
            "tiny.libs/libasan.so": tiny_elf(exports=["__asan_init"]),
        }
    ),
    "a program for a graphics card": Case(
        members={f"fast{SUFFIX}": FAST, "kernel.hsaco": tiny_elf(machine="EM_AMDGPU")}
    ),
    "a platform wheel for every Python": Case(
        tag="py3-none-manylinux_2_17_aarch64", members={"tiny/libfast.so": tiny_elf(exports=["fast"])}
    ),
    "the stable ABI since a Python that we do not know": Case(
        tag="cp36-abi3-manylinux_2_17_aarch64", members={"fast.abi3.so": FAST}
    ),
    "a library for every Python, whatever its version": Case(
        tag="py38-none-manylinux_2_17_aarch64", members={"tiny/libfast.so": tiny_elf(exports=["fast"])}
    ),
    "no ABI in the tag, of a Python that has only one": Case(
        tag="cp312-none-manylinux_2_17_aarch64", members={"fast.so": OF_PYTHON}, ignore="W302"
    ),
    "no ABI in the tag, and a build for either": Case(
        tag="cp313-none-manylinux_2_17_aarch64",
        members={f"fast{SUFFIX}": OF_PYTHON, "fast.cpython-313t-aarch64-linux-gnu.so": OF_PYTHON},
    ),
    "no ABI in the tag, and a library that uses Python": Case(
        tag="py3-none-manylinux_2_17_aarch64",
        members={"tiny/libfast.so": tiny_elf(exports=["fast"], undefined=["PyLong_FromLong"])},
    ),
    "two builds that the package chooses from by itself": Case(
        members={
            f"fast.one{SUFFIX}": FAST,
            f"fast.other{SUFFIX}": FAST,
        }
    ),
    "musl, which takes itself for libraries of glibc": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={
            "fast.cpython-313-aarch64-linux-musl.so": tiny_elf(
                exports=["PyInit_fast"],
                needed=["libc.so.6", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2", "libxnet.so.9"],
                undefined=["memcpy@GLIBC_2.17"],
                versions_needed={"libc.so.6": ["GLIBC_2.17"]},
            )
        },
    ),
    "objects for a linker": Case(
        tag="py3-none-manylinux_2_17_x86_64",
        members={
            "tiny/lib/crt1.o": as_object(tiny_elf(machine="EM_X86_64", executable_stack=None)),
            "tiny/lib/libtiny-crt.o": as_object(tiny_elf(machine="EM_X86_64", executable_stack=None)),
            "tiny/share/start.o": as_object(tiny_elf(machine="EM_X86_64", executable_stack=None)),
            "tiny/share/libtiny.a": b"!<arch>\n",
        },
    ),
    "an object for another machine, and one for the kernel": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny/arm/crti.o": as_object(tiny_elf(machine="EM_ARM", bits=32)),
            "tiny/probe.o": as_object(tiny_elf(machine="EM_BPF")),
        }
    ),
    "headers for one platform": Case(
        tag="py3-none-manylinux_2_17_aarch64", members={"tiny/include/tiny.h": b"int tiny;\n"}
    ),
    **{
        f"code beyond the baseline: {what}": Case(members={name: elf})
        for what, name, elf in (
            ("outline atomics", f"fast{SUFFIX}", arm_elf(*[LDADD, NOP, LDAXR, STLXR, *[NOP] * 20] * 40)),
            ("the C library is asked", f"fast{SUFFIX}", arm_elf(*[SDOT] * 9, undefined=["getauxval"])),
            ("the processor is asked", f"fast{SUFFIX}", arm_elf(*[SDOT] * 9, ID_REGISTER)),
            (
                "atomics of both kinds",
                f"fast{SUFFIX}",
                arm_elf(ID_REGISTER, *[LDADD, CAS] * 40, *[NOP] * 20, LDAXR, STLXR),
            ),
            ("once or twice, as in a table of constants", f"fast{SUFFIX}", arm_elf(SDOT, SDOT, *[NOP] * 20, LDADD)),
            ("a build for one kind of processor", "tiny/libfast-sve.so", tiny_elf(code=arm(*[LDADD, CAS] * 40))),
        )
    },
    **{
        f"code beyond the baseline: {what}": Case(
            tag=INTEL,
            members={INTEL_FAST: tiny_elf(machine="EM_X86_64", exports=["PyInit_fast"], code=code), **others},
        )
        for what, code, others in (
            ("cpuid before AVX", bytes.fromhex("b801000000 0fa2") + AVX * 10, {}),
            ("bytes of AVX inside of other instructions", bytes.fromhex("48b8 c5fb58c1c5fb1007 c3") * 20, {}),
            ("another binary asks", AVX * 10, {"libask.so": tiny_elf(machine="EM_X86_64", exports=["__cpu_model"])}),
        )
    },
    "thread-local storage in a program": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny/tool": tiny_elf(interpreter="/lib/ld-linux-aarch64.so.1", static_tls=8, relocations=[TPREL64]),
        }
    ),
    "thread-local storage that is allocated at load time": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], static_tls=120, relocations=[1031])}
    ),
    "libraries in the folder of the environment, and a path to them": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libtiny.so"], runpath="$ORIGIN/../../../"),
            "tiny-1.0.data/data/lib/libtiny.so": tiny_elf(soname="libtiny.so"),
            "tiny-1.0.data/data/bin/tiny": tiny_elf(needed=["libtiny.so"], runpath="$ORIGIN/../lib"),
        }
    ),
    "a plain library under the name of an extension": Case(
        tag="cp311-abi3-manylinux_2_17_aarch64", members={"tiny/_raw.abi3.so": tiny_elf(exports=["encrypt"])}
    ),
    **{
        f"the stable ABI of {tag}: {suffix}": Case(tag=f"{tag}-manylinux_2_17_aarch64", members={f"fast{suffix}": FAST})
        for tag, suffix in (
            ("cp315-abi3.abi3t", ".abi3t.so"),
            ("cp315-abi3.abi3t", ".abi3t-aarch64-linux-gnu.so"),
            ("cp316-abi3", ".abi3-aarch64-linux-gnu.so"),
            ("cp315-abi3t", ".abi3t.so"),
        )
    },
    "the stable ABI for two architectures": Case(
        tag="cp315-abi3-manylinux_2_17_aarch64.manylinux_2_17_x86_64",
        members={
            "fast.abi3-aarch64-linux-gnu.so": FAST,
            "fast.abi3-x86_64-linux-gnu.so": tiny_elf(machine="EM_X86_64", exports=["PyInit_fast"]),
        },
        ignore="W202",
    ),
    "the stable ABI beside an extension that is not of it": Case(
        tag="cp312-cp312-manylinux_2_17_aarch64",
        members={"fast.abi3.so": FAST, f"other{STALE}": tiny_elf(exports=["PyInit_other"])},
    ),
    "a policy beside its other name and a newer one": Case(tag=f"{ARM}.manylinux2014_aarch64.manylinux_2_28_aarch64"),
    **{
        f"a tag: {tag}": Case(tag=f"{tag}-any", members={"tiny.py": b""})
        for tag in (
            *("py2.py3-none", "py39-none", "cp27-cp27mu", "cp37-cp37m", "cp36.cp37-cp36m.cp37m", "cp32-abi3"),
            *("cp313-none", "cp313-cp313.abi3", "cp315-abi3.abi3t", "cp314-cp314t"),
            *("pp310-pypy310_pp73", "graalpy311-none"),
        )
    },
    **{
        f"{required} allows {tag}": Case(
            tag=tag,
            members={"tiny.py": b"", f"{DIST_INFO}/METADATA": f"{METADATA}Requires-Python: {required}\n".encode()},
        )
        for tag, required in (
            ("cp39-cp39-any", ">=3.9.2"),
            ("cp39.cp310-cp39.cp310-any", ">=3.10"),
            ("cp38-abi3-any", ">=3.13"),
            ("py3-none-any", "~=3.9,!=3.9.0"),
            ("py2.py3-none-any", ">=3.9"),
            ("cp315-cp315-any", ">=3.15.0rc1"),
            ("pp310-pypy310_pp73-any", ">=3.11"),
        )
    },
    "a build number": Case(
        file=f"tiny-1.0-01b-{ARM}.whl", members={f"fast{SUFFIX}": FAST, **stating(f"Build: 01b\nTag: {ARM}")}
    ),
    "licence files as setuptools named them early": Case(
        members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/METADATA": f"{METADATA}License-File: LICENSE\n".encode()}
    ),
    "metadata with all that there is": Case(
        members={
            f"fast{SUFFIX}": FAST,
            f"{DIST_INFO}/METADATA": (
                f"{METADATA}Summary: Ein Rädchen\nAuthor-Email: A. N. <a@example.org>\nKeywords: tiny,small\n"
                "Project-URL: Home, https://example.org\nMaintainer-Email: A <a@example.org>, B <b>\n"
                "Home-page: HTTP://example.org/~tiny?a=b#c\nDownload-URL: UNKNOWN\nClassifier: Typing :: Typed\n"
                "Requires-Dist: large[x]>=1; python_version < '3.12'\n"
                "Provides-Extra: fast\nClassifier: Private :: Do Not Upload\n"
                "Description-Content-Type: text/markdown; charset=UTF-8; variant=GFM\n\n# Tiny\n\nName: none\n"
            ).encode(),
            f"{DIST_INFO}/entry_points.txt": "[console_scripts]\nTi-ny.py = tiny:main\n\n[x.y]\nä b = c\n".encode(),
        }
    ),
    "a wheel that only requires others": Case(
        tag="py3-none-any",
        members={f"{DIST_INFO}/METADATA": f"{METADATA}Requires-Dist: large\n".encode()},
    ),
    "folders and comments in a .pth file, and files of that name elsewhere": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny.pth": b"# import os\n./tiny.libs\nimportant\n",
            "tiny/tiny.pth": b"import os\n",
            ".tiny.start": b"tiny:begin\n",
        }
    ),
    **{
        f"an entry point: {reference}": Case(
            tag=f"py3-none-{'manylinux_2_17_aarch64' if '.so' in file else 'any'}",
            members={
                **requiring(*requires),
                "tiny/__init__.py": b"from .cli import main",
                file: source.encode() if not file.endswith(".so") else tiny_elf(exports=["tiny"]),
                f"{DIST_INFO}/entry_points.txt": f"[tiny.plugins]\ntiny = {reference}\n".encode(),
            },
        )
        for reference, file, source, requires in (
            ("tiny:main", "tiny/cli.py", "", ()),
            ("tiny.cli:main", "tiny/cli.py", "from .x import *", ()),
            ("tiny.cli:main", "tiny/cli.py", "def __getattr__(name): ...", ()),
            ("tiny.cli:main", "tiny/cli.so", "", ()),
            ("large.cli:main", "tiny/cli.py", "", ("large",)),
            ("os.path:exists", "tiny/cli.py", "", ()),
            ("tiny:cli", "tiny/cli.py", "", ()),
            ("tiny.py", "tiny-1.0.data/purelib/tiny/py/__init__.py", "", ()),
            ("space:tiny", "space/tiny.py", "", ()),
            ("not a reference", "tiny/cli.py", "", ()),
        )
    },
    "grafted libraries under the names of their packages": Case(
        members={
            f"tiny/fast{SUFFIX}": FAST,
            "tiny.libs/libfoo-1a2b3c4d.so.1": tiny_elf(soname="libfoo-1a2b3c4d.so.1"),
            "tiny.libs/libown.so": tiny_elf(soname="libown.so"),
            f"{DIST_INFO}/sboms/auditwheel.cdx.json": b'{"components": [{"name": "tiny"}, {"name": "foo-libs"}],'
            b' "metadata": {"component": {"name": "tiny"}}}',
        },
    ),
    "import names, one of them private": Case(
        tag="py3-none-any",
        members={
            "tiny/__init__.py": b"",
            "tiny/more.py": b"",
            "_tiny.py": b"",
            "a/b/c.py": b"",
            f"{DIST_INFO}/METADATA": stating_imports(
                "Import-Name: tiny",
                "Import-Name: _tiny ; private",
                "Import-Namespace: a",
                "Import-Namespace: a.b",
                "Import-Name: a.b.c",
            ),
        },
    ),
    "stubs with a marker, of a module alone, and of another project": Case(
        members={
            f"tiny/fast{SUFFIX}": FAST,
            "tiny/fast.pyi": b"",
            "tiny/py.typed": b"",
            "tony.pyi": b"",
            "large-stubs/__init__.pyi": b"",
        }
    ),
    **{
        f"a module that leaves the GIL off, or may: {', '.join(used)}": Case(
            tag="cp314-cp314t-manylinux_2_17_aarch64",
            members={
                "fast.cpython-314t-aarch64-linux-gnu.so": tiny_elf(
                    exports=["PyInit_fast"], needed=["libc.so.6"], undefined=used
                )
            },
        )
        for used in (
            ["PyModule_Create2", "PyUnstable_Module_SetGIL"],
            ["PyModule_Create2", "PyModuleDef_Init"],
            ["PyModuleDef_Init"],
            ["PyImport_ImportModule"],
        )
    },
    "single-phase initialisation with the GIL": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], undefined=["PyModule_Create2"])}
    ),
    "placeholders of credentials, and keys of tests": Case(
        members={
            f"tiny/fast{SUFFIX}": FAST,
            "tiny/.env.example": f"API_TOKEN={LIKE_A_KEY}\n".encode(),
            "tiny/.env": b"API_TOKEN=your-token-here\nPASSWORD=\nSECRET_KEY=${SECRET}\nTOKENS=aaaaaaaaaaaa\n",
            "tiny/.pypirc": b"[distutils]\nindex-servers = pypi\n",
            "tiny/.npmrc": b"//registry/:_authToken=${NPM_TOKEN}\n",
            "tiny/tests/server.key": f"-----BEGIN PRIVATE KEY-----\n{LIKE_A_KEY * 3}\n".encode(),
            "tiny/guide.py": f"'ghp_{'x' * 36} pypi-AgE... highs_{LIKE_A_KEY} ghp_short'\n".encode(),
        }
    ),
    "commands with names of their own": Case(
        tag="py3-none-any",
        members={
            "tiny/cli.py": b"def main(): ...\n",
            f"{DIST_INFO}/entry_points.txt": b"[console_scripts]\npython-tiny = tiny.cli:main\npipx = tiny.cli:main\n"
            b"[tiny.plugins]\npython = tiny.cli:main\n",
        },
    ),
    "requirements that can be met": Case(
        tag="py3-none-any",
        members={
            "tiny.py": b"",
            f"{DIST_INFO}/METADATA": (
                f"{METADATA}Provides-Extra: test-all\nRequires-Dist: large==2.0; extra == 'test_all'\n"
                "Requires-Python: >=3.9,<3.15,!=3.10.*,!=3.11.0\n"
            ).encode(),
        },
    ),
    "folders of the wheel in a .pth file": Case(
        tag="py3-none-any", members={"tiny.pth": b"tiny\nwin32\\lib\n# /home\n", "tiny/__init__.py": b""}
    ),
    "data where they belong, and modules of their own": Case(
        members={
            f"tiny/fast{SUFFIX}": FAST,
            "tiny/fast.py": b"",
            "tiny/slow/tool.py": b"",
            "tiny/slow.py": b"",
            "tiny-1.0.data/data/share/doc/tiny/README.md": b"",
            "tiny-1.0.data/data/etc/tiny.cfg": b"",
        }
    ),
    "pip's own command": Case(
        name="pip",
        tag="py3-none-any",
        members={
            "pip/cli.py": b"def main(): ...\n",
            "pip-1.0.dist-info/entry_points.txt": b"[console_scripts]\npip3 = pip.cli:main\n",
        },
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_wheel_has_no_findings(name: str, tmp_path: Path) -> None:
    assert [finding for finding in GOOD[name].audit(tmp_path) if finding.rule != GOOD[name].ignore] == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_wheel_is_caught_by_its_rule_alone(name: str, tmp_path: Path) -> None:
    case = BAD[name]
    findings = case.audit(tmp_path)
    assert [(f.rule, f.member, f.found) for f in findings] == [find[:3] for find in case.finds]
    for finding, (*_, expected) in zip(findings, case.finds, strict=True):
        assert finding.expected.startswith(expected)


def test_every_rule_has_a_bad_wheel() -> None:
    without_capstone = {"W209"}
    assert {code for case in BAD.values() for code, *_ in case.finds} | without_capstone == {
        rule.code for rule in RULES
    }


def test_without_a_disassembler_what_was_not_looked_at_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "capstone", None)
    _disassembler.cache_clear()
    (finding,) = BAD["AVX, and nobody asks"].audit(tmp_path)
    _disassembler.cache_clear()
    assert (finding.rule, finding.level, finding.member) == ("W209", "note", INTEL_FAST)
    assert finding.found == "bytes like AVX, but capstone is not installed"
    assert "crosswheel[instructions]" in finding.fix


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_says_what_why_and_how(rule: Rule) -> None:
    (sentence,) = (inspect.getdoc(type(rule)) or "").split("\n\n")
    assert sentence.endswith(".")
    assert rule.why.endswith(".")
    assert not rule.fix.endswith(".")


def test_codes_are_unique_and_purity_comes_first() -> None:
    codes = [rule.code for rule in RULES]
    assert sorted(codes) == sorted(set(codes))
    assert codes[0] == "W601"  # what breaks it breaks others too, and this one has the reason


def test_what_installs_and_works_is_no_error() -> None:
    assert {rule.code: rule.level for rule in RULES if rule.level != "error"} == {
        "W105": "warning",
        "W106": "note",
        "W108": "warning",
        "W111": "warning",
        "W114": "warning",
        "W116": "warning",
        "W117": "note",
        "W118": "warning",
        "W120": "warning",
        "W121": "warning",
        "W122": "note",
        "W123": "warning",
        "W124": "warning",
        "W125": "warning",
        "W205": "warning",
        "W208": "warning",
        "W209": "note",
        "W210": "note",
        "W213": "note",
        "W302": "note",
        "W308": "note",
        "W309": "note",
        "W310": "warning",
        "W407": "warning",
        "W408": "warning",
        "W409": "warning",
        "W410": "warning",
        "W507": "warning",
        "W508": "warning",
        "W510": "warning",
        "W513": "warning",
        "W514": "note",
        "W515": "warning",
        "W516": "warning",
        "W517": "note",
        "W518": "note",
        "W519": "note",
        "W520": "note",
        "W522": "warning",
        "W523": "warning",
        "W527": "warning",
        "W603": "warning",
        "W604": "note",
    }


def test_a_finding_is_the_words_of_its_rule(tmp_path: Path) -> None:
    (finding,) = BAD["nothing compiled"].audit(tmp_path)
    assert finding == Finding(
        rule="W601",
        level="error",
        message="A platform wheel contains no binary: its extension is optional and was not compiled.",
        found="no ELF file",
        expected=f"at least one for {ARM}",
        fix="find the missing library or compiler in the build log; if the package is pure, tag the wheel any",
    )


@pytest.mark.parametrize("arch", architectures())
@pytest.mark.parametrize("policy", ["manylinux_2_39", "musllinux_1_2"])
def test_every_target_gets_its_own_suffix_past_the_audit(arch: str, policy: str, tmp_path: Path) -> None:
    machine = architectures()[arch]
    elf = tiny_elf(machine=machine.machine, bits=machine.bits, byteorder=machine.byteorder, exports=["PyInit_fast"])
    for python in python_tags():
        target = Target(python, machine, parse_platform(f"{policy}_{arch}")[0])
        tag = f"{python.interpreter}-{python.abi}-{target.platform}"
        path = tiny_wheel(tmp_path, tag=tag, members={f"fast{target.ext_suffix}": elf})
        assert audit(path, target) == ()


@pytest.mark.parametrize("platform", ["manylinux_2_17_riscv64", "manylinux_2_5_aarch64"])
def test_what_auditwheel_does_not_know_is_no_promise(platform: str) -> None:
    assert promise_of(*parse_platform(platform)) is None


def test_a_promise_says_what_is_allowed() -> None:
    promise = promise_of(*parse_platform("manylinux2014_aarch64"))
    assert promise
    assert promise.name == "manylinux_2_17_aarch64"
    assert promise.ceiling("GLIBCXX_3.4.30") == "at most GLIBCXX_3.4.19"
    assert promise.allows_version("OPENSSL_3.0.0")
