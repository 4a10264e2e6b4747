"""Tiny bad wheels, one or more for each rule: the unit tests and `nox -s bench-audit` share them."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from bad_archives import (
    LATE,
    Spoil,
    after,
    again,
    before,
    changed,
    end,
    header,
    hidden,
    one_by_one,
    repacked,
    replaced,
    sparse,
    streamed,
)
from crosswheel.auditing.run import audit_wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import parse_target
from crosswheel.testing import tiny_elf, tiny_wheel

ARM = "cp313-cp313-manylinux_2_17_aarch64"
SUFFIX = ".cpython-313-aarch64-linux-gnu.so"
INTEL = "cp313-cp313-manylinux_2_17_x86_64"
INTEL_FAST = "fast.cpython-313-x86_64-linux-gnu.so"
STALE = ".cpython-312-aarch64-linux-gnu.so"
DIST_INFO = "tiny-1.0.dist-info"
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
IMPORTS = ("Import-Name: tiny", "Import-Name: space.tiny", "Import-Namespace: space")
OF_PYTHON = tiny_elf(exports=["PyInit_fast"], needed=["libc.so.6"], undefined=["PyModuleDef_Init", "PyLong_FromLong"])
FAST = tiny_elf(exports=["PyInit_fast"], needed=["libc.so.6"], versions_needed={"libc.so.6": ["GLIBC_2.17"]})


# Instructions of AArch64, and x86-64's vaddsd, vmovsd, ret.
NOP, LDADD, CAS, LDAXR, STLXR = 0xD503201F, 0xB8200041, 0x88A07C41, 0x885FFC20, 0x8803FC22
SDOT, PTRUE, AESE, ID_REGISTER = 0x4E829420, 0x2518E3E0, 0x4E284820, 0xD5380600
AVX = bytes.fromhex("c5fb58c1 c5fb1007 c3")
TPREL64 = 1030
_OF_NOTHING = b"sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
LIKE_A_KEY = "a1B2c3D4e5F6g7H8i9J0k1L2"  # of the form of a secret, and none
IN_HEXADECIMAL = sha256().hexdigest()


@dataclass(frozen=True)
class Case:
    """A wheel by its tag and members, with all that an audit should find: code, member, found, expected.

    `spoil` is done to it when it is finished; `file` is what it is called in the end, where that is another name.
    `beside` are audited together with it; `ignore` is a rule that is not the case's affair.
    """

    tag: str = ARM
    members: dict[str, bytes] = field(default_factory=lambda: {f"fast{SUFFIX}": FAST})
    finds: tuple[tuple[str, str, str, str], ...] = ()
    target: str = ""
    name: str = "tiny"
    version: str = "1.0"
    file: str = ""
    spoil: Spoil | None = None
    beside: tuple[Case, ...] = ()
    ignore: str = ""

    def make(self, directory: Path) -> Path:
        path = tiny_wheel(directory, name=self.name, version=self.version, tag=self.tag, members=self.members)
        if self.spoil:
            self.spoil(path)
        return path.rename(path.with_name(self.file)) if self.file else path

    def audit(self, directory: Path) -> tuple[Finding, ...]:
        target = parse_target(self.target) if self.target else None
        return audit_wheel(self.make(directory), target, tuple(case.make(directory) for case in self.beside))


def stating(lines: str = "", version: str = "1.0", purelib: str = "false") -> dict[str, bytes]:
    """A WHEEL file with these lines; without the lines of which the value is empty."""
    fields = {"Wheel-Version": version, "Root-Is-Purelib": purelib}
    head = "".join(f"{field}: {value}\n" for field, value in fields.items() if value)
    return {f"{DIST_INFO}/WHEEL": f"{head}{lines}\n".encode()}


def arm(*instructions: int) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)


def as_object(elf: bytes) -> bytes:
    """The same as an object file: e_type is ET_REL."""
    little = elf[5] == 1
    return elf[:16] + (b"\1\0" if little else b"\0\1") + elf[18:]


def stating_imports(*lines: str) -> bytes:
    return "\n".join([METADATA.replace("2.1", "2.5").rstrip(), *lines, ""]).encode()


def requiring(*lines: str) -> dict[str, bytes]:
    required = "".join(f"Requires-Dist: {line}\n" for line in lines)
    return {f"{DIST_INFO}/METADATA": f"{METADATA}{required}".encode()}


BAD = {
    "WHEEL of another platform": Case(
        members={f"fast{SUFFIX}": FAST, **stating("Tag: cp313-cp313-linux_aarch64")},
        finds=(("W101", f"{DIST_INFO}/WHEEL", "cp313-cp313-linux_aarch64", ARM),),
    ),
    "WHEEL with more tags": Case(
        members={f"fast{SUFFIX}": FAST, **stating(f"Tag: {ARM}\nTag: cp313-cp313-manylinux1_aarch64")},
        finds=(("W118", f"{DIST_INFO}/WHEEL", "cp313-cp313-manylinux1_aarch64", f"no more than {ARM}"),),
    ),
    "WHEEL without a tag": Case(
        members={f"fast{SUFFIX}": FAST, **stating()},
        finds=(("W101", f"{DIST_INFO}/WHEEL", "no tag at all", ARM),),
    ),
    "METADATA of another version": Case(
        members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/METADATA": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.1\n"},
        finds=(("W102", f"{DIST_INFO}/METADATA", "tiny 1.1", "tiny 1.0"),),
    ),
    "METADATA with a broken version": Case(
        members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/METADATA": b"Metadata-Version: 2.1\nName: tiny\nVersion: one\n"},
        finds=(("W102", f"{DIST_INFO}/METADATA", "tiny one", "tiny 1.0"),),
    ),
    "METADATA with two names": Case(
        members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/METADATA": f"{METADATA}Name: other\n".encode()},
        finds=(("W102", f"{DIST_INFO}/METADATA", "tiny other 1.0", "tiny 1.0"),),
    ),
    "never repaired": Case(
        tag="cp313-cp313-linux_aarch64",
        finds=(("W103", "", "linux_aarch64", "manylinux_X_Y_ARCH or musllinux_X_Y_ARCH"),),
    ),
    "a policy that the architecture never had": Case(
        tag="cp313-cp313-manylinux_2_17_riscv64",
        members={
            "fast.cpython-313-riscv64-linux-gnu.so": tiny_elf(machine="EM_RISCV", exports=["PyInit_fast"]),
        },
        finds=(("W105", "", "manylinux_2_17_riscv64", "manylinux_X_Y_ARCH or musllinux_X_Y_ARCH"),),
    ),
    "another system": Case(
        tag="cp313-cp313-macosx_11_0_arm64",
        members={"fast.cpython-313-darwin.so": b"\xcf\xfa\xed\xfe", "tiny/libfast.dylib": b"\xcf\xfa\xed\xfe"},
        finds=(("W106", "", "macosx_11_0_arm64", "manylinux_X_Y_ARCH or musllinux_X_Y_ARCH"),),
    ),
    "a policy under a name that the architecture never had": Case(
        tag="cp313-cp313-manylinux_2_17_aarch64.manylinux1_aarch64",
        finds=(("W103", "", "manylinux1_aarch64", "manylinux_X_Y_ARCH or musllinux_X_Y_ARCH"),),
    ),
    "a version of macOS that never was": Case(
        tag="cp313-cp313-macosx_17_0_arm64",
        members={"tiny.py": b""},
        finds=(("W103", "", "macosx_17_0_arm64", "manylinux_X_Y_ARCH or musllinux_X_Y_ARCH"),),
    ),
    "no policy at all, and taken by the index": Case(
        tag="cp313-cp313-linux_armv7l",
        members={
            "fast.cpython-313-arm-linux-gnueabihf.so": tiny_elf(machine="EM_ARM", bits=32, exports=["PyInit_fast"])
        },
        finds=(("W105", "", "linux_armv7l", "manylinux_X_Y_ARCH or musllinux_X_Y_ARCH"),),
    ),
    **{
        f"an impossible tag: {tag}": Case(
            tag=f"{tag}-any", members={"tiny.py": b""}, finds=(("W107", "", tag, "such as cp313-cp313,"),)
        )
        for tag in (
            *("cp313-cp312", "cp313t-cp313t", "cp312-cp312t", "cp314-abi3t", "cp313-cp313m", "cp31-abi3"),
            *("py3-cp313", "py3-abi3", "cp3-none", "cp313.py3-abi3t"),
        )
    },
    **{
        f"an idle tag: {tag}": Case(tag=tag, members={"tiny.py": b""}, finds=(("W108", "", found, expected),))
        for tag, found, expected in (
            ("py3.cp313-cp313-any", "py3", "matching parts"),
            ("cp313-cp313.cp312-any", "cp312", "matching parts"),
            ("cp313t.cp313-none-any", "cp313t", "matching parts"),
            ("py3.py3-none-any", "py3 twice", "each part once"),
        )
    },
    "any and a platform": Case(
        tag="py3-none-manylinux_2_17_aarch64.any",
        members={"tiny.py": b"", **stating("Tag: py3-none-any\nTag: py3-none-manylinux_2_17_aarch64")},
        finds=(("W108", "", "manylinux_2_17_aarch64 beside any", "either any or platforms"),),
    ),
    **{
        f"{required} excludes {tag}": Case(
            tag=tag,
            members={
                "tiny.py": b"",
                f"{DIST_INFO}/METADATA": f"{METADATA}Requires-Python: {required}\n".encode(),
            },
            finds=(("W109", f"{DIST_INFO}/METADATA", required, f"the Pythons of {tag}"),),
        )
        for tag, required in (
            ("cp39-cp39-any", ">=3.10"),
            ("cp313-cp313-any", "<3.13"),
            ("cp311-abi3-any", "<3.11"),
            ("py2-none-any", ">=3"),
            ("py310-none-any", "==3.9.*"),
        )
    },
    "a folder of another spelling": Case(
        file="tiny-1.0.0-py3-none-any.whl",
        tag="py3-none-any",
        members={"tiny.py": b""},
        finds=(("W110", DIST_INFO, DIST_INFO, "tiny-1.0.0.dist-info"),),
    ),
    "a name in capitals": Case(
        name="Tiny", tag="py3-none-any", members={"tiny.py": b""}, finds=(("W111", "", "Tiny", "tiny"),)
    ),
    "a name with a dot": Case(
        name="ti.ny", tag="py3-none-any", members={"tiny.py": b""}, finds=(("W111", "", "ti.ny", "ti_ny"),)
    ),
    **{
        f"METADATA with {line!r}": Case(
            tag="py3-none-any",
            members={"tiny.py": b"", f"{DIST_INFO}/METADATA": f"{METADATA}{line}\n".encode()},
            finds=(("W112", f"{DIST_INFO}/METADATA", found, f"a valid {line.partition(':')[0].lower()}"),),
        )
        for line, found in {
            "Requires-Python: three": "'three' is invalid for 'requires-python'",
            "Requires-Dist: large >> 1": "'large >> 1' is invalid for 'requires-dist'",
            "Requires-Dist: large @ file:///large": "large @ file:///large is a direct reference",
            "License-Expression: MIT": "license-expression introduced in metadata version 2.4, not 2.1",
            f"Summary: {'tiny' * 129}": "516 characters, the limit is 512",
            "Flavour: sweet": "flavour: sweet",
        }.items()
    },
    **{
        f"METADATA that the index refuses: {line!r}": Case(
            tag="py3-none-any",
            members={"tiny.py": b"", f"{DIST_INFO}/METADATA": f"{METADATA}{line}\n".encode()},
            finds=(("W119", f"{DIST_INFO}/METADATA", found, f"a valid {line.partition(':')[0].lower()}"),),
        )
        for line, found in {
            "Classifier: Flavour :: Sweet": (
                f"Flavour :: Sweet is not in the list of trove-classifiers {version('trove-classifiers')}"
            ),
            "Classifier: Natural Language :: Ukranian": (
                "Natural Language :: Ukranian is deprecated, in favour of Natural Language :: Ukrainian"
            ),
            "Author-email: Tiny <tiny.example.org>": (
                "tiny.example.org is not an e-mail address: An email address must have an @-sign."
            ),
            "Home-page: example.org/tiny": "'example.org/tiny' is not an http or https URL",
            "Download-URL: ftp://example.org/tiny": "'ftp://example.org/tiny' is not an http or https URL",
            "Project-URL: Home, UNKNOWN": "UNKNOWN under Home is not an http or https URL",
            "Project-URL: , https://example.org": "', https://example.org' has no label: the form is LABEL, URL",
            f"Project-URL: {'Tiny ' * 7}, https://example.org": (
                f"a label of 34 characters, the limit is 32: {('Tiny ' * 7).strip()}"
            ),
        }.items()
    },
    "METADATA in Latin-1": Case(
        tag="py3-none-any",
        members={"tiny.py": b"", f"{DIST_INFO}/METADATA": f"{METADATA}Author: Jos\u00e9\n".encode("latin-1")},
        finds=(("W112", f"{DIST_INFO}/METADATA", "invalid continuation byte at byte 57", "UTF-8"),),
    ),
    "METADATA with a marker made to harm": Case(
        tag="py3-none-any",
        members={
            "tiny.py": b"",
            f"{DIST_INFO}/METADATA": f"{METADATA}Requires-Dist: large; {'(' * 3000}\n".encode(),
        },
        finds=(("W112", f"{DIST_INFO}/METADATA", "a marker that is nested too deeply", "a valid requires-dist"),),
    ),
    "METADATA of no version": Case(
        tag="py3-none-any",
        members={"tiny.py": b"", f"{DIST_INFO}/METADATA": b"Name: tiny\nVersion: 1.0\n"},
        finds=(("W112", f"{DIST_INFO}/METADATA", "None is not a valid metadata version", "a valid metadata-version"),),
    ),
    **{
        f"METADATA of which a part is not read: {found}": Case(
            tag="py3-none-any",
            members={"tiny.py": b"", f"{DIST_INFO}/METADATA": METADATA.replace(*change).encode()},
            finds=(
                *((("W102", f"{DIST_INFO}/METADATA", "no name no version", "tiny 1.0"),) if nothing else ()),
                ("W112", f"{DIST_INFO}/METADATA", found, "Field: value"),
            ),
        )
        for change, nothing, found in (
            (("1.0\n", "1.0\nSummary\nRequires-Dist: other\n"), False, "a line that is no field: Summary"),
            (("Metadata-V", "\ufeffMetadata-V"), True, "it begins with a byte order mark"),
            (("Metadata-V", "\nMetadata-V"), True, "it has no field, or begins with an empty line"),
        )
    },
    "a field that is stated twice": Case(
        tag="py3-none-any",
        members={
            "tiny.py": b"",
            f"{DIST_INFO}/METADATA": f"{METADATA}Requires-Python: >=3.9\nRequires-Python: >=3.10\n".encode(),
        },
        finds=(("W112", f"{DIST_INFO}/METADATA", "requires-python is stated 2 times: >=3.9, >=3.10", "a valid"),),
    ),
    "Provides-Dist that is no requirement": Case(
        tag="py3-none-any",
        members={"tiny.py": b"", f"{DIST_INFO}/METADATA": f"{METADATA}Provides-Dist: other (oops)\n".encode()},
        finds=(("W112", f"{DIST_INFO}/METADATA", "'other (oops)' is no requirement", "a valid provides-dist"),),
    ),
    "files in a .data folder that installers do not know": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny-1.0.data/share/one.txt": b"",
            "tiny-1.0.data/loose.txt": b"",
            "tiny-1.1.data/data/share/two.txt": b"",
            "tiny-1.0.data/data/share/good.txt": b"",
        },
        finds=tuple(
            ("W521", member, found, "tiny-1.0.data/ with data, headers, platlib, purelib, scripts")
            for member, found in (
                ("tiny-1.0.data/share/one.txt", "tiny-1.0.data/share"),
                ("tiny-1.0.data/loose.txt", "tiny-1.0.data/loose.txt"),
                ("tiny-1.1.data/data/share/two.txt", "tiny-1.1.data"),
            )
        ),
    ),
    "scripts of the build machine": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny-1.0.data/scripts/one": b"#!/home/me/venv/bin/python3.11\n",
            "tiny-1.0.data/scripts/two": b"#!/usr/bin/env python3\r\n",
            "tiny-1.0.data/scripts/good": b"#!python\r\n",
            "tiny-1.0.data/scripts/shell": b"#!/bin/sh -e\n",
        },
        finds=(
            ("W523", "tiny-1.0.data/scripts/one", "#!/home/me/venv/bin/python3.11", "#!python"),
            ("W523", "tiny-1.0.data/scripts/two", "#!/usr/bin/env python3 with a Windows line end", "#!python"),
        ),
    ),
    "names that Windows does not allow": Case(
        tag="py3-none-any",
        members={"tiny.py": b"", "tiny/aux.py": b"", "tiny/what?.txt": b"", "tiny/end.": b"", "tiny/auxiliary.py": b""},
        finds=(
            ("W522", "tiny/aux.py", "aux.py", "a name that Windows allows"),
            ("W522", "tiny/end.", "end.", "a name that Windows allows"),
            ("W522", "tiny/what?.txt", "what?.txt", "a name that Windows allows"),
        ),
    ),
    "a module that site imports": Case(
        members={f"fast{SUFFIX}": FAST, "sitecustomize.py": b"", "tiny/sitecustomize.py": b""},
        finds=(("W515", "sitecustomize.py", "a module that site imports", "another name"),),
    ),
    "what only an installation has": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.egg-info/PKG-INFO": b"", f"{DIST_INFO}/INSTALLER": b"pip"},
        finds=(
            ("W507", f"{DIST_INFO}/INSTALLER", "a leftover", "only files for run time"),
            ("W507", "tiny.egg-info", "a leftover", "only files for run time"),
        ),
    ),
    "programs that no system can start": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny/nix": tiny_elf(interpreter="/nix/store/abc/lib/ld-linux-aarch64.so.1"),
            "tiny/musl": tiny_elf(interpreter="/lib/ld-musl-aarch64.so.1"),
            "tiny/good": tiny_elf(interpreter="/lib/ld-linux-aarch64.so.1"),
        },
        finds=(
            ("W211", "tiny/nix", "/nix/store/abc/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-aarch64.so.1"),
            ("W211", "tiny/musl", "/lib/ld-musl-aarch64.so.1", "/lib/ld-linux-aarch64.so.1"),
        ),
    ),
    "relocations that old systems ignore": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], packed_relocations=True)},
        finds=(("W212", f"fast{SUFFIX}", "DT_RELR", "what manylinux_2_17 can load"),),
    ),
    "relocations that old systems with musl ignore": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={"fast.cpython-313-aarch64-linux-musl.so": tiny_elf(exports=["PyInit_fast"], packed_relocations=True)},
        finds=(("W213", "fast.cpython-313-aarch64-linux-musl.so", "DT_RELR", "what all of musllinux_1_2 can load"),),
    ),
    "two licences": Case(
        tag="py3-none-any",
        members={
            "tiny.py": b"",
            f"{DIST_INFO}/METADATA": METADATA.replace("2.1", "2.4").encode()
            + b"License: MIT\nLicense-Expression: MIT\n",
        },
        finds=(("W112", f"{DIST_INFO}/METADATA", "License together with License-Expression", "a valid license"),),
    ),
    **{
        f"entry points {text!r}": Case(
            tag="py3-none-any",
            members={"tiny.py": b"main = print", f"{DIST_INFO}/entry_points.txt": text.encode()},
            finds=(("W113", f"{DIST_INFO}/entry_points.txt", found, expected),),
        )
        for text, found, expected in (
            ("tiny = tiny:main\n", "File contains no section headers.", "an INI file"),
            ("[console_scripts]\n../tiny = tiny:main\n", "../tiny", "a name without folders"),
            ("[gui_scripts]\nTiny One = tiny:main\n", "Tiny One", "a name without folders"),
            ("[console_scripts]\ntiny = tiny\n", "tiny = tiny", "tiny = module:function"),
            ("[console_scripts]\ntiny = tiny:main()\n", "tiny = tiny:main()", "tiny = module:function"),
        )
    },
    "a build number in the file name alone": Case(
        file="tiny-1.0-1-py3-none-any.whl",
        tag="py3-none-any",
        members={"tiny.py": b""},
        finds=(("W114", f"{DIST_INFO}/WHEEL", "none", "1"),),
    ),
    "a build number in WHEEL alone": Case(
        members={f"fast{SUFFIX}": FAST, **stating(f"Build: 1b\nTag: {ARM}")},
        finds=(("W114", f"{DIST_INFO}/WHEEL", "1b", "none"),),
    ),
    "a format to come": Case(
        members={f"fast{SUFFIX}": FAST, **stating(f"Tag: {ARM}", version="2.0")},
        finds=(("W115", f"{DIST_INFO}/WHEEL", "2.0", "1.0"),),
    ),
    "no format": Case(
        members={f"fast{SUFFIX}": FAST, **stating(f"Tag: {ARM}", version="")},
        finds=(("W115", f"{DIST_INFO}/WHEEL", "no Wheel-Version", "1.0"),),
    ),
    "a platform wheel that says it is pure": Case(
        members={f"fast{SUFFIX}": FAST, **stating(f"Tag: {ARM}", purelib="true")},
        finds=(("W116", f"{DIST_INFO}/WHEEL", "true", "false"),),
    ),
    "a pure wheel that does not say so": Case(
        tag="py3-none-any",
        members={"tiny.py": b"", **stating("Tag: py3-none-any", purelib="")},
        finds=(("W116", f"{DIST_INFO}/WHEEL", "not stated", "true"),),
    ),
    "a local version": Case(
        version="1.0+arm", tag="py3-none-any", members={"tiny.py": b""}, finds=(("W117", "", "1.0+arm", "1.0"),)
    ),
    "another Python than asked for": Case(
        target="cp312-manylinux_2_17_aarch64",
        finds=(("W104", "", ARM, "cp312-cp312-manylinux_2_17_aarch64"),),
    ),
    "a newer policy than asked for": Case(
        tag="cp313-cp313-manylinux_2_28_aarch64",
        target="cp313-manylinux_2_17_aarch64",
        finds=(("W104", "", "cp313-cp313-manylinux_2_28_aarch64", ARM),),
    ),
    "the ordinary build for a free-threaded target": Case(
        target="cp313t-manylinux_2_17_aarch64",
        finds=(("W104", "", ARM, "cp313-cp313t-manylinux_2_17_aarch64"),),
    ),
    "a broken binary": Case(
        members={f"fast{SUFFIX}": b""},
        finds=(("W201", f"fast{SUFFIX}", "not an ELF file", "an ELF file"),),
    ),
    "a binary of this machine": Case(
        members={f"fast{SUFFIX}": FAST, "tiny/tool": tiny_elf(machine="EM_X86_64")},
        finds=(("W202", "tiny/tool", "EM_X86_64, 64 bit, little endian", "EM_AARCH64, 64 bit, little endian"),),
    ),
    "another byte order": Case(
        members={f"fast{SUFFIX}": FAST, "lib.so": tiny_elf(byteorder="big")},
        finds=(("W202", "lib.so", "EM_AARCH64, 64 bit, big endian", "EM_AARCH64, 64 bit, little endian"),),
    ),
    "another word size": Case(
        members={f"fast{SUFFIX}": FAST, "lib.so": tiny_elf(bits=32)},
        finds=(("W202", "lib.so", "EM_AARCH64, 32 bit, little endian", "EM_AARCH64, 64 bit, little endian"),),
    ),
    "the suffix of the build machine": Case(
        members={"fast.cpython-313-x86_64-linux-gnu.so": FAST},
        finds=(("W301", "fast.cpython-313-x86_64-linux-gnu.so", ".cpython-313-x86_64-linux-gnu.so", SUFFIX),),
    ),
    "the suffix of another Python": Case(
        members={f"fast{STALE}": FAST},
        finds=(("W301", f"fast{STALE}", STALE, SUFFIX),),
    ),
    "the suffix without t": Case(
        tag="cp313-cp313t-manylinux_2_17_aarch64",
        finds=(("W301", f"fast{SUFFIX}", SUFFIX, ".cpython-313t-aarch64-linux-gnu.so"),),
    ),
    "the suffix of glibc on musl": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"])},
        finds=(("W301", f"fast{SUFFIX}", SUFFIX, ".cpython-313-aarch64-linux-musl.so"),),
    ),
    "an extension of one Python in an abi3 wheel": Case(
        tag="cp311-abi3-manylinux_2_17_aarch64",
        finds=(("W301", f"fast{SUFFIX}", SUFFIX, ".abi3.so"),),
    ),
    "an extension of one Python in a wheel for all": Case(
        tag="py3-none-manylinux_2_17_aarch64",
        finds=(("W301", f"fast{SUFFIX}", SUFFIX, "no extension of one Python in a wheel for all"),),
    ),
    "no suffix": Case(members={"fast.so": FAST}, finds=(("W302", "fast.so", ".so", SUFFIX),)),
    "the stable ABI for a free-threaded Python": Case(
        tag="cp313-cp313t-manylinux_2_17_aarch64",
        members={"fast.abi3.so": FAST},
        finds=(("W303", "fast.abi3.so", ".abi3.so", ".cpython-313t-aarch64-linux-gnu.so"),),
    ),
    **{
        f"the stable ABI of ordinary CPythons, and {tag}": Case(
            tag=f"{tag}-manylinux_2_17_aarch64",
            members={f"fast{suffix}": FAST},
            finds=(("W303", f"fast{suffix}", suffix, ".abi3"),),
        )
        for tag in ("cp315-abi3.abi3t", "cp315-abi3t")
        for suffix in (".abi3.so", ".abi3-aarch64-linux-gnu.so")
    },
    **{
        f"a suffix of the stable ABI that {tag} does not look for: {suffix}": Case(
            tag=f"{tag}-manylinux_2_17_aarch64",
            members={f"fast{suffix}": FAST},
            finds=(("W301", f"fast{suffix}", suffix, expected),),
        )
        for tag, suffix, expected in (
            ("cp39-abi3", ".abi3t.so", ".abi3.so"),
            ("cp314-abi3", ".abi3-aarch64-linux-gnu.so", ".abi3.so"),
            ("cp315-abi3", ".abi3-x86_64-linux-gnu.so", ".abi3.so"),
            ("cp315-abi3.abi3t", ".abi3t-aarch64-linux-musl.so", ".abi3.so or .abi3t.so"),
        )
    },
    **{
        f"the stable ABI in a wheel for one Python: {suffix}": Case(
            tag=f"{tag}-manylinux_2_17_aarch64",
            members={f"tiny/fast{suffix}": FAST},
            finds=(("W309", f"tiny/fast{suffix}", f"{suffix} in a wheel for {tag}-manylinux_2_17_aarch64", ""),),
        )
        for tag, suffix in (
            ("cp312-cp312", ".abi3.so"),
            ("cp315-cp315", ".abi3t.so"),
            ("cp315-cp315", ".abi3-aarch64-linux-gnu.so"),
        )
    },
    "left over from another Python": Case(
        members={f"tiny/fast{SUFFIX}": FAST, f"tiny-1.0.data/platlib/tiny/fast{STALE}": FAST},
        finds=(("W304", f"tiny/fast{SUFFIX}", f"fast{SUFFIX}, fast{STALE}", "one build of each module"),),
    ),
    "the hook of another name": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_slow", "help"])},
        finds=(("W305", f"fast{SUFFIX}", "PyInit_slow", "PyInit_fast"),),
    ),
    "a hook so well hidden that the linker threw it away": Case(
        members={f"fast{SUFFIX}": tiny_elf(needed=["libc.so.6"])},
        finds=(("W305", f"fast{SUFFIX}", "no PyInit_*", "PyInit_fast"),),
    ),
    "a hidden hook": Case(
        members={f"fast{SUFFIX}": tiny_elf(undefined=["PyModuleDef_Init"])},
        finds=(("W305", f"fast{SUFFIX}", "no PyInit_*", "PyInit_fast"),),
    ),
    "a path of the system": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], runpath="/usr/lib/aarch64-linux-gnu/:/usr/local/lib64"
            )
        },
        finds=(
            ("W409", f"tiny/fast{SUFFIX}", "/usr/lib/aarch64-linux-gnu/", "$ORIGIN/..."),
            ("W409", f"tiny/fast{SUFFIX}", "/usr/local/lib64", "$ORIGIN/..."),
        ),
    ),
    "paths outside": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], rpath="/home/build/lib", runpath="$ORIGIN/../../../../.."
            ),
            f"tiny/slow{SUFFIX}": tiny_elf(exports=["PyInit_slow"], runpath="$ORIGIN/../tiny.libs:"),
            f"tiny/odd{SUFFIX}": tiny_elf(exports=["PyInit_odd"], runpath="$ORIGINAL/lib"),
        },
        finds=(
            ("W401", f"tiny/fast{SUFFIX}", "/home/build/lib", "$ORIGIN/..."),
            ("W401", f"tiny/fast{SUFFIX}", "$ORIGIN/../../../../..", "$ORIGIN/..."),
            ("W401", f"tiny/slow{SUFFIX}", "(the current folder)", "$ORIGIN/..."),
            ("W401", f"tiny/odd{SUFFIX}", "$ORIGINAL/lib", "$ORIGIN/..."),
        ),
    ),
    "site-packages of the build machine": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], rpath="/build/env/lib/python3.13/site-packages/torch/lib"
            )
        },
        finds=(
            (
                "W401",
                f"tiny/fast{SUFFIX}",
                "/build/env/lib/python3.13/site-packages/torch/lib (site-packages of the build machine)",
                "$ORIGIN/../torch/lib",
            ),
        ),
    ),
    "paths into the environment": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], runpath="$ORIGIN/../..:$ORIGIN/../../..:$ORIGIN/../../site-packages/torch/lib"
            )
        },
        finds=(
            ("W410", f"tiny/fast{SUFFIX}", "$ORIGIN/../..", "a path into site-packages"),
            ("W410", f"tiny/fast{SUFFIX}", "$ORIGIN/../../..", "a path into site-packages"),
            ("W410", f"tiny/fast{SUFFIX}", "$ORIGIN/../../site-packages/torch/lib", "$ORIGIN/../torch/lib"),
        ),
    ),
    "newer symbols than the oldest promise has": Case(
        tag=f"{ARM}.manylinux_2_34_aarch64",
        members={
            f"fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"],
                versions_needed={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.34", "GLIBC_ABI_DT_RELR"], "libx.so": ["X_9"]},
            )
        },
        finds=(
            ("W402", f"fast{SUFFIX}", "GLIBC_2.34 of libc.so.6", "at most GLIBC_2.18 for manylinux_2_17_aarch64"),
            (
                "W402",
                f"fast{SUFFIX}",
                "GLIBC_ABI_DT_RELR of libc.so.6",
                "at most GLIBC_2.18 for manylinux_2_17_aarch64",
            ),
        ),
    ),
    "a library from the build machine": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libc.so.6", "libfoo.so.6"])},
        finds=(("W403", f"fast{SUFFIX}", "libfoo.so.6", "inside the wheel, or in manylinux_2_17_aarch64"),),
    ),
    "a link that became a file with the name of its target": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libfoo.so.6"], runpath="$ORIGIN/tiny.libs"),
            "tiny.libs/libfoo.so.6": b"libfoo.so.6.1",
        },
        finds=(("W403", f"fast{SUFFIX}", "libfoo.so.6", "inside the wheel, or in manylinux_2_17_aarch64"),),
    ),
    "an extension for libc++ that calls a library for libstdc++": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast", "_ZNSt3__16vectorIiNS_9allocatorIiEEE9push_backEOi"],
                undefined=["_ZNK5arrow5Array6lengthEv", "_ZN5arrow5otherEv", "plain_c"],
                needed=["libc.so.6", "libarrow.so.20"],
                runpath="$ORIGIN/tiny.libs",
            ),
            f"faster{SUFFIX}": tiny_elf(
                exports=["PyInit_faster", "_ZNSt3__16vectorIiNS_9allocatorIiEEE9push_backEOi"],
                undefined=["plain_c"],
                needed=["libarrow.so.20"],
                runpath="$ORIGIN/tiny.libs",
            ),
            "tiny.libs/libarrow.so.20": tiny_elf(
                soname="libarrow.so.20",
                needed=["libstdc++.so.6"],
                exports=["_ZNK5arrow5Array6lengthEv", "_ZN5arrow5otherEv", "plain_c"],
            ),
        },
        finds=(
            (
                "W412",
                f"fast{SUFFIX}",
                "_ZN5arrow5otherEv, _ZNK5arrow5Array6lengthEv of libarrow.so.20",
                "one C++ library for both",
            ),
        ),
    ),
    "a sanitizer": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], undefined=["__ubsan_handle_add_overflow", "__asan_init", "malloc"]
            )
        },
        finds=(("W404", f"fast{SUFFIX}", "__asan_init, __ubsan_handle_add_overflow", "no such symbols"),),
    ),
    "a source file that was not compiled": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], undefined=["PyModule_Create2", "help", "memcpy"])},
        finds=(("W405", f"fast{SUFFIX}", "help", f"the C library, the Python of {ARM}, or a library in the wheel"),),
    ),
    "a library that was not linked": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], undefined=["zlibVersion"]),
            f"faster{SUFFIX}": tiny_elf(exports=["PyInit_faster"], undefined=["zlibVersion"], needed=["libz.so.1"]),
        },
        finds=(("W405", f"fast{SUFFIX}", "zlibVersion", "the C library"),),
    ),
    "functions that Python no longer has, or not yet": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], undefined=["_PyArg_NoKwnames", "PyUnicodeWriter_Create", "PyLong_FromLong"]
            )
        },
        finds=(("W405", f"fast{SUFFIX}", "PyUnicodeWriter_Create, _PyArg_NoKwnames", "the C library"),),
    ),
    "a function of a newer glibc that the linker did not see": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], undefined=["memfd_create"])},
        finds=(("W405", f"fast{SUFFIX}", "memfd_create", "the C library"),),
    ),
    "glibc's fortified functions on musl": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={
            "fast.cpython-313-aarch64-linux-musl.so": tiny_elf(
                exports=["PyInit_fast"], undefined=["__sprintf_chk", "memcpy"], needed=["libc.so"]
            )
        },
        finds=(("W405", "fast.cpython-313-aarch64-linux-musl.so", "__sprintf_chk", "the C library"),),
    ),
    "RECORD without some and with others": Case(
        members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/RECORD": b"gone.py,,\n"},
        finds=(
            ("W501", f"fast{SUFFIX}", "not listed", "a row in RECORD"),
            ("W501", f"{DIST_INFO}/METADATA", "not listed", "a row in RECORD"),
            ("W501", f"{DIST_INFO}/WHEEL", "not listed", "a row in RECORD"),
            ("W501", "gone.py", "listed, but not in the archive", "every row a file"),
        ),
    ),
    "RECORD of other bytes": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny.py": b"",
            f"{DIST_INFO}/RECORD": "\n".join(
                [
                    f"fast{SUFFIX},sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0",
                    "tiny.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0",
                    f"{DIST_INFO}/METADATA,,",
                    f"{DIST_INFO}/WHEEL,sha512=,",
                    f"{DIST_INFO}/RECORD,,",
                ]
            ).encode(),
        },
        finds=(
            ("W502", f"fast{SUFFIX}", "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU, 0 bytes", "sha256="),
            ("W502", "tiny.py", "md5=1B2M2Y8AsgTpgAmY7PhCfg, 0 bytes", "sha256=47DEQpj8HBSa"),
            ("W502", f"{DIST_INFO}/METADATA", "no hash, no bytes", "sha256="),
            ("W502", f"{DIST_INFO}/WHEEL", "sha512=, no bytes", "sha512="),
        ),
    ),
    "RECORD with a file twice": Case(
        spoil=changed(f"{DIST_INFO}/RECORD", lambda data: data.partition(b"\n")[0] + b"\n" + data),
        finds=(("W502", f"{DIST_INFO}/METADATA", "2 rows", "one row"),),
    ),
    "a member twice": Case(
        spoil=again(f"fast{SUFFIX}"), finds=(("W503", f"fast{SUFFIX}", "2 members with this name", "one"),)
    ),
    "a file that is a folder too": Case(
        members={f"fast{SUFFIX}": FAST, "tiny": b"", "tiny-more": b"", "tiny/inner.py": b""},
        finds=(("W503", "tiny", "a file and a folder", "one of them"),),
    ),
    **{
        f"a name with {found}: {name!r}": Case(
            members={f"fast{SUFFIX}": FAST, name: b""},
            finds=(("W504", name, found, "a relative path in UTF-8"),),
        )
        for name, found in {
            "tiny/new\nline.py": "a control character",
            "tiny/\u202eyp.gpj": "a control character",
            "tiny\\fast.py": "a backslash",
            "/tiny.py": "an absolute path",
            "C:tiny.py": "a drive letter",
            "../tiny.py": "a path out of the archive",
            "tiny/../../tiny.py": "a path out of the archive",
            "tiny/..": "a path out of the archive",
            "tiny//fast.py": "an empty part",
            "./tiny.py": "an empty part",
            f"tiny/{'fast' * 64}.py": "a part that is too long",
        }.items()
    },
    "a name that is no text": Case(
        members={f"fast{SUFFIX}": FAST, "täny.py": b""},
        spoil=one_by_one(
            changed(f"{DIST_INFO}/RECORD", lambda data: data.replace("ä".encode(), b"\xff\xff")),
            replaced("ä".encode(), b"\xff\xff"),
        ),
        finds=(("W504", "t\\xff\\xffny.py", "bytes that are not UTF-8", "a relative path in UTF-8"),),
    ),
    "a symbolic link": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b"/etc/passwd"},
        spoil=header("tiny.py", mode=0o120777),
        finds=(("W505", "tiny.py", "a symbolic link", "a file or a folder"),),
    ),
    "a device": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b""},
        spoil=header("tiny.py", mode=0o020666),
        finds=(("W505", "tiny.py", "a file of kind 20000", "a file or a folder"),),
    ),
    "something before the archive": Case(
        spoil=before(b"#!/bin/sh\n"), finds=(("W506", "", "10 bytes before the archive", "only the archive"),)
    ),
    "something after the archive": Case(
        spoil=after(b"PK\3\4 and more"), finds=(("W506", "", "13 bytes after the archive", "only the archive"),)
    ),
    "a member that the directory does not have": Case(
        spoil=hidden(b"PK\3\4" + bytes(26)),
        finds=(("W506", "", "30 bytes before the directory that are in no member", "only members"),),
    ),
    "another name before the member": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b""},
        spoil=header("tiny.py", "local", name=b"s"),
        finds=(("W506", "tiny.py", "name siny.py in its header", "tiny.py, as the directory says"),),
    ),
    "another size and compression before the member": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b""},
        spoil=header("tiny.py", "local", method=8, size=5, crc=1),
        finds=(
            ("W506", "tiny.py", "compression 8 in its header", "0, as the directory says"),
            ("W506", "tiny.py", "CRC-32 1 in its header", "0, as the directory says"),
            ("W506", "tiny.py", "size 5 in its header", "0, as the directory says"),
        ),
    ),
    "a member without a header": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b""},
        spoil=header("tiny.py", start=1),
        finds=(
            ("W506", "tiny.py", "no header where the directory says", "a header before each member"),
            ("W506", f"{DIST_INFO}/RECORD", "37 bytes before it that are in no member", "only members"),
        ),
    ),
    "more members than the archive says": Case(
        spoil=end(count=-1), finds=(("W506", "", "a directory of 4 members", "3, as the end of the archive says"),)
    ),
    "sizes that stand behind": Case(
        spoil=streamed,
        finds=(("W506", f"{DIST_INFO}/METADATA", "4 members whose size stands behind them (data descriptors)", ""),),
    ),
    "leftovers": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tiny/__pycache__/one.cpython-312.pyc": b"",
            "tiny/__pycache__/two.cpython-312.pyc": b"",
            "tiny/CMakeFiles/tiny.dir/fast.c.o": b"",
            "tiny/fast.o": b"",
            "tiny/fast.py.orig": b"",
        },
        finds=tuple(
            ("W507", member, "a leftover", "only files for run time")
            for member in ("tiny/CMakeFiles", "tiny/__pycache__", "tiny/fast.o", "tiny/fast.py.orig")
        ),
    ),
    "a large wheel": Case(
        members={f"fast{SUFFIX}": FAST, "tiny/data": bytes(100 << 20)},
        spoil=sparse,
        finds=(("W508", "", "104859990 bytes", "at most 104857600 bytes"),),
    ),
    "a licence that is not there": Case(
        members={
            f"fast{SUFFIX}": FAST,
            f"{DIST_INFO}/METADATA": b"Metadata-Version: 2.4\nName: tiny\nVersion: 1.0\nLicense-File: LICENSE\n",
            f"{DIST_INFO}/LICENSE": b"",
        },
        finds=(("W509", f"{DIST_INFO}/licenses/LICENSE", "not in the archive", "every License-File of METADATA"),),
    ),
    "a member of tomorrow": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b""},
        spoil=header("tiny.py", moment=((2107 - 1980) << 9 | 12 << 5 | 31) << 16),
        finds=(("W510", "tiny.py", "2107-12-31 00:00:00", "2"),),
    ),
    "a member of no day": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b""},
        spoil=header("tiny.py", moment=LATE),
        finds=(("W510", "tiny.py", "no date", "a date"),),
    ),
    "an encrypted member": Case(
        spoil=header(f"fast{SUFFIX}", flags=1),
        finds=(("W511", f"fast{SUFFIX}", "encrypted", "stored or deflated, and undamaged"),),
    ),
    "a member compressed by bzip2": Case(
        spoil=repacked(f"fast{SUFFIX}", zipfile.ZIP_BZIP2),
        finds=(("W511", f"fast{SUFFIX}", "compressed by bzip2", "stored or deflated, and undamaged"),),
    ),
    "a damaged member": Case(
        members={f"fast{SUFFIX}": FAST, "tiny.py": b"answer = 42"},
        spoil=replaced(b"answer = 42", b"answer = 43"),
        finds=(("W511", "tiny.py", "CRC-32 3a1bbfbf instead of 4d1c8f29", "stored or deflated, and undamaged"),),
    ),
    "a zip bomb": Case(
        members={f"fast{SUFFIX}": FAST, "tiny/zeros": bytes(65 << 20)},
        spoil=repacked("tiny/zeros", zipfile.ZIP_DEFLATED),
        finds=(("W512", "tiny/zeros", "68159184 bytes in total", "at most 67108864"),),
    ),
    "files beside all packages": Case(
        members={
            f"fast{SUFFIX}": FAST,
            "tests/__init__.py": b"",
            "tests/test_tiny.py": b"",
            "conftest.py": b"",
            "README.md": b"",
        },
        finds=tuple(
            ("W513", member, "installed beside the packages", "inside a package")
            for member in ("README.md", "conftest.py", "tests/")
        ),
    ),
    "names alike": Case(
        members={f"fast{SUFFIX}": FAST, "tiny/Fast.py": b"", "tiny/fast.py": b""},
        finds=(("W514", "tiny/Fast.py", "tiny/fast.py", "distinct names"),),
    ),
    "nothing compiled": Case(members={"tiny.py": b""}, finds=(("W601", "", "no ELF file", f"at least one for {ARM}"),)),
    "nothing compiled, and so nothing to repair": Case(
        tag="cp313-cp313-linux_aarch64",
        members={"tiny.py": b""},
        target="cp313-manylinux_2_17_aarch64",
        finds=(("W601", "", "no ELF file", "at least one for cp313-cp313-linux_aarch64"),),
    ),
    "nothing compiled, and for another architecture": Case(
        tag="cp313-cp313-linux_x86_64",
        members={"tiny.py": b""},
        target="cp313-manylinux_2_17_aarch64",
        finds=(
            ("W601", "", "no ELF file", "at least one for cp313-cp313-linux_x86_64"),
            ("W104", "", "cp313-cp313-linux_x86_64", ARM),
        ),
    ),
    "a binary for everybody": Case(
        tag="py3-none-any",
        members={"tool": tiny_elf()},
        finds=(("W602", "tool", "an ELF file", "no binaries in an any wheel"),),
    ),
    "extensions for everybody, and libraries for several systems": Case(
        tag="py3-none-any",
        members={f"fast{SUFFIX}": FAST, "tool": tiny_elf(), "tool.dll": b"MZ"},
        finds=(
            ("W602", f"fast{SUFFIX}", "an ELF file", "no binaries in an any wheel"),
            ("W604", "tool.dll", "a binary for win", "none in py3-none-any"),
        ),
    ),
    "nothing at all": Case(
        tag="py3-none-any", members={}, finds=(("W603", "", "metadata only", "at least one file to install"),)
    ),
    "binaries of other systems": Case(
        members={f"fast{SUFFIX}": FAST, "tiny/fast.cp313-win_amd64.pyd": b"MZ", "tiny/libfast.dylib": b""},
        finds=(
            ("W604", "tiny/fast.cp313-win_amd64.pyd", "a binary for win", f"none in {ARM}"),
            ("W604", "tiny/libfast.dylib", "a binary for macosx", f"none in {ARM}"),
        ),
    ),
    "soft float": Case(
        tag="cp313-cp313-manylinux_2_31_armv7l",
        members={
            "fast.cpython-313-arm-linux-gnueabihf.so": tiny_elf(
                machine="EM_ARM", bits=32, exports=["PyInit_fast"], flags=0x0500_0200
            )
        },
        finds=(("W203", "fast.cpython-313-arm-linux-gnueabihf.so", "soft float", "hard"),),
    ),
    "an older ABI of Arm": Case(
        tag="cp313-cp313-manylinux_2_31_armv7l",
        members={
            "fast.cpython-313-arm-linux-gnueabihf.so": tiny_elf(
                machine="EM_ARM", bits=32, exports=["PyInit_fast"], flags=0x0400_0000
            )
        },
        finds=(("W203", "fast.cpython-313-arm-linux-gnueabihf.so", "EABI 4", "EABI 5"),),
    ),
    "function descriptors": Case(
        tag="cp313-cp313-manylinux_2_17_ppc64le",
        members={
            "fast.cpython-313-powerpc64le-linux-gnu.so": tiny_elf(machine="EM_PPC64", exports=["PyInit_fast"], flags=1)
        },
        finds=(("W203", "fast.cpython-313-powerpc64le-linux-gnu.so", "ELF ABI 1", "ELF ABI 2"),),
    ),
    "RISC-V without doubles": Case(
        tag="cp313-cp313-manylinux_2_31_riscv64",
        members={
            "fast.cpython-313-riscv64-linux-gnu.so": tiny_elf(machine="EM_RISCV", exports=["PyInit_fast"], flags=1)
        },
        finds=(("W203", "fast.cpython-313-riscv64-linux-gnu.so", "soft float", "double float"),),
    ),
    "for FreeBSD": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], os_abi=9)},
        finds=(("W203", f"fast{SUFFIX}", "ELFOSABI_FREEBSD", "ELFOSABI_SYSV"),),
    ),
    "an executable stack": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], executable_stack=True)},
        finds=(("W204", f"fast{SUFFIX}", "PT_GNU_STACK with RWE", "RW"),),
    ),
    "no word on the stack, where that means executable": Case(
        tag=INTEL,
        members={
            INTEL_FAST: tiny_elf(machine="EM_X86_64", exports=["PyInit_fast"], executable_stack=None),
        },
        finds=(("W204", INTEL_FAST, "no PT_GNU_STACK, which means RWE", "RW"),),
    ),
    "text relocations": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], text_relocations=True)},
        finds=(("W205", f"fast{SUFFIX}", "DT_TEXTREL", "position-independent code"),),
    ),
    "pages of 4 KiB": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], alignment=0x1000)},
        finds=(("W206", f"fast{SUFFIX}", "pages of 4096 bytes", "of 65536 bytes"),),
    ),
    "a newer x86": Case(
        tag=INTEL,
        members={INTEL_FAST: tiny_elf(machine="EM_X86_64", exports=["PyInit_fast"], x86_level=3)},
        finds=(("W207", INTEL_FAST, "x86-64-v3", "the baseline"),),
    ),
    "RISC-V with vectors": Case(
        tag="cp313-cp313-manylinux_2_31_riscv64",
        members={
            "fast.cpython-313-riscv64-linux-gnu.so": tiny_elf(
                machine="EM_RISCV", exports=["PyInit_fast"], riscv_arch="rv64i2p1_m2p0_zmmul1p0_v1p0"
            )
        },
        finds=(("W208", "fast.cpython-313-riscv64-linux-gnu.so", "v", "the baseline"),),
    ),
    "atomics of Armv8.1, and nobody asks": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], code=arm(*[LDADD, *[NOP] * 20] * 4))},
        finds=(("W208", f"fast{SUFFIX}", "LSE", "the baseline"),),
    ),
    "atomics of Armv8.1 alone, whatever is asked": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], undefined=["getauxval"], code=arm(*[LDADD, CAS] * 20)),
        },
        finds=(("W208", f"fast{SUFFIX}", "LSE", "the baseline"),),
    ),
    "dot products, SVE and AES of AArch64": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], code=arm(*[SDOT, PTRUE, AESE] * 4))},
        finds=(("W208", f"fast{SUFFIX}", "AES, SVE, dot product", "the baseline"),),
    ),
    "AVX, and nobody asks": Case(
        tag=INTEL,
        members={INTEL_FAST: tiny_elf(machine="EM_X86_64", exports=["PyInit_fast"], code=AVX * 10)},
        finds=(("W208", INTEL_FAST, "AVX", "the baseline"),),
    ),
    "thread-local storage that has to be there from the start": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libgomp.so.1"], runpath="$ORIGIN"),
            "libgomp.so.1": tiny_elf(soname="libgomp.so.1", static_tls=120, relocations=[1027, TPREL64]),
        },
        finds=(("W210", "libgomp.so.1", "120 bytes", "storage that is allocated at load time"),),
    ),
    "newer than the stable ABI of the tag": Case(
        tag="cp39-abi3-manylinux_2_17_aarch64",
        members={
            "fast.abi3.so": tiny_elf(
                exports=["PyInit_fast"], undefined=["PyModule_AddObjectRef", "PyErr_Clear", "_PyObject_GC_New"]
            )
        },
        finds=(("W306", "fast.abi3.so", "PyModule_AddObjectRef (since 3.10)", "the stable ABI of 3.9"),),
    ),
    "not of the stable ABI": Case(
        tag="cp39-abi3-manylinux_2_17_aarch64",
        members={"fast.abi3.so": tiny_elf(exports=["PyInit_fast"], undefined=["_PyObject_GetDictPtr", "PyArg_Parse"])},
        finds=(("W306", "fast.abi3.so", "_PyObject_GetDictPtr (never)", "the stable ABI of 3.9"),),
    ),
    "zlib's own affairs": Case(
        members={
            f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libz.so.1"], undefined=["deflate", "zcalloc"])
        },
        finds=(("W406", f"fast{SUFFIX}", "zcalloc of libz.so.1", "symbols of every manylinux_2_17_aarch64 system"),),
    ),
    "a library that no path leads to": Case(
        members={
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], needed=["libone.so"], runpath="$ORIGIN/../tiny.libs"
            ),
            "tiny.libs/libone.so": tiny_elf(soname="libone.so", needed=["libtwo.so", "libthree.so.3"]),
            "tiny.libs/libtwo.so": tiny_elf(soname="libtwo.so"),
            "tiny.libs/libthree.so": tiny_elf(soname="libthree.so.3"),
        },
        finds=(
            ("W407", "tiny.libs/libone.so", "libtwo.so", "a path to tiny.libs/libtwo.so"),
            ("W407", "tiny.libs/libone.so", "libthree.so.3", "a path to tiny.libs/libthree.so"),
        ),
    ),
    "the stable ABI alone, and free-threaded in the tag": Case(
        tag="cp313-abi3.cp313t-manylinux_2_17_aarch64",
        members={"fast.abi3.so": FAST},
        finds=(("W303", "fast.abi3.so", ".abi3.so", ".abi3.so or .cpython-313t-aarch64-linux-gnu.so"),),
    ),
    "a binary of this machine in a wheel of a policy that nobody knows": Case(
        tag="cp313-cp313-manylinux_2_99_aarch64",
        members={f"fast{SUFFIX}": tiny_elf(machine="EM_X86_64", exports=["PyInit_fast"])},
        finds=(
            ("W105", "", "manylinux_2_99_aarch64", ""),
            ("W202", f"fast{SUFFIX}", "EM_X86_64, 64 bit, little endian", "EM_AARCH64"),
        ),
    ),
    "a library of a project that is known to bring it": Case(
        members={
            **requiring("torch>=2"),
            f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libtorch.so", "libc10.so"]),
            f"tiny/faster{SUFFIX}": tiny_elf(exports=["PyInit_faster"], needed=["libtorch.so"]),
        },
        finds=(("W408", f"tiny/fast{SUFFIX}", "libc10.so, libtorch.so of torch, for 2 binaries", "inside the wheel"),),
    ),
    "a library in the lib folder of the environment": Case(
        members={
            **requiring("mkl"),
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], needed=["libmkl_rt.so.2"], runpath="$ORIGIN/../../.."
            ),
        },
        finds=(("W408", f"tiny/fast{SUFFIX}", "libmkl_rt.so.2 of mkl", "inside the wheel"),),
    ),
    "a library of one of several projects that are known to bring some": Case(
        members={
            **requiring("cmeel-urdfdom-headers", "cmeel-tinyxml2"),
            "cmeel.prefix/lib/libtiny.so": tiny_elf(needed=["libtinyxml2.so.11"], runpath="$ORIGIN"),
        },
        finds=(("W408", "cmeel.prefix/lib/libtiny.so", "libtinyxml2.so.11 of cmeel-tinyxml2", "inside the wheel"),),
    ),
    "a library of another part of the project": Case(
        members={
            **requiring("tiny-qt==1.0"),
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], needed=["libQt.so.6"], runpath="$ORIGIN:$ORIGIN/../tiny_qt/lib"
            ),
        },
        finds=(("W408", f"tiny/fast{SUFFIX}", "libQt.so.6 of tiny-qt", "inside the wheel"),),
    ),
    "a library with the name of a requirement": Case(
        members={
            **requiring("apache-tvm-ffi>=0.1", "eckitlib", "zstd"),
            f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libtvm_ffi.so", "libeckit_geo.so"]),
        },
        finds=(
            ("W408", f"tiny/fast{SUFFIX}", "libtvm_ffi.so of apache-tvm-ffi", "inside the wheel"),
            ("W408", f"tiny/fast{SUFFIX}", "libeckit_geo.so of eckitlib", "inside the wheel"),
        ),
    ),
    "a library of a distribution, with the name of a requirement": Case(
        members={
            **requiring("protobuf", "shiboken6==6.12.0"),
            f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libprotobuf.so.32", "libQt6Pdf.so.6"]),
        },
        finds=(
            ("W403", f"tiny/fast{SUFFIX}", "libprotobuf.so.32", "inside the wheel"),
            ("W403", f"tiny/fast{SUFFIX}", "libQt6Pdf.so.6", "inside the wheel"),
        ),
    ),
    "a search path of empty items": Case(
        members={f"fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], runpath=":::")},
        finds=(("W401", f"fast{SUFFIX}", "(the current folder)", "$ORIGIN/..."),),
    ),
    "RECORD in hexadecimal": Case(
        members={
            "tiny.py": b"",
            f"fast{SUFFIX}": FAST,
        },
        spoil=changed(
            f"{DIST_INFO}/RECORD", lambda data: data.replace(_OF_NOTHING, f"sha256={IN_HEXADECIMAL}".encode())
        ),
        finds=(
            (
                "W502",
                "tiny.py",
                f"sha256 in hexadecimal instead of base64: {IN_HEXADECIMAL}, 0 bytes",
                "sha256=47DEQpj8HBSa",
            ),
        ),
    ),
    "RECORD with a folder": Case(
        members={f"fast{SUFFIX}": FAST, "tiny/": b""},
        finds=(("W501", "tiny/", "a folder", "every row a file"),),
    ),
    "a library in a wheel beside it": Case(
        members={
            **requiring("large"),
            f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["liblarge.so.6"]),
        },
        beside=(Case(name="large", members={"large/liblarge.so.6": tiny_elf()}),),
        finds=(("W408", f"tiny/fast{SUFFIX}", "liblarge.so.6 of large", "inside the wheel"),),
    ),
    "a library in a wheel beside it that is too old": Case(
        members={
            **requiring("large>=2"),
            f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["liblarge.so.6"]),
        },
        beside=(Case(name="large", members={"large/liblarge.so.6": tiny_elf()}),),
        finds=(("W403", f"tiny/fast{SUFFIX}", "liblarge.so.6", "inside the wheel, or in"),),
    ),
    "a library that is not in the wheel beside it": Case(
        members={
            **requiring("torch"),
            f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"], needed=["libtorch.so"]),
        },
        beside=(Case(name="torch", members={"torch/lib/libtorch_cpu.so": tiny_elf()}),),
        finds=(("W403", f"tiny/fast{SUFFIX}", "libtorch.so", "inside the wheel, or in"),),
    ),
    "a stray path, and a requirement that has no libraries": Case(
        members={
            **requiring("numpy"),
            f"tiny/fast{SUFFIX}": tiny_elf(
                exports=["PyInit_fast"], needed=["libEGL.so.1"], runpath="$ORIGIN/../numpy/lib"
            ),
        },
        finds=(("W403", f"tiny/fast{SUFFIX}", "libEGL.so.1", "inside the wheel, or in"),),
    ),
    **{
        f"an extension without an ABI in the tag: {tag}": Case(
            tag=f"{tag}-manylinux_2_17_aarch64",
            members={f"tiny/fast{suffix}": OF_PYTHON},
            finds=(
                *((("W302", f"tiny/fast{suffix}", ".so", ""),) if suffix == ".so" else ()),
                (
                    "W307",
                    f"tiny/fast{suffix}",
                    f"PyLong_FromLong, PyModuleDef_Init, for {stranger} too",
                    "a tag with the ABI of one Python, or the stable ABI",
                ),
            ),
        )
        for tag, suffix, stranger in (
            ("cp314-none", ".so", "free-threaded 3.14"),
            ("cp313-none", SUFFIX, "free-threaded 3.13"),
            ("py3-none", ".so", "every Python that accepts py3-none"),
            ("py2.py3-none", ".abi3.so", "every Python that accepts py3-none"),
            ("py39-none", ".so", "every Python that accepts py39-none"),
        )
    },
    **{
        f"a Python that we do not know: {tag}": Case(
            tag=f"{tag}-manylinux_2_17_aarch64",
            members={name: elf},
            finds=(("W308", "", unknown, "cp39 to cp315"),),
        )
        for tag, unknown, name, elf in (
            ("cp38-cp38", "cp38", "fast.cpython-38-aarch64-linux-gnu.so", FAST),
            ("cp36.cp37-cp36m.cp37m", "cp36m, cp37m", "fast.cpython-37m-aarch64-linux-gnu.so", FAST),
            (
                "graalpy312-graalpy250_312_native",
                "graalpy250_312_native",
                "fast.graalpy250-312-native-aarch64-linux.so",
                tiny_elf(exports=["PyInit_fast"], undefined=["PyModuleDef_Init", "GraalPyTuple_GET_ITEM"]),
            ),
        )
    },
    "a library of glibc that musl does not have": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={
            "fast.cpython-313-aarch64-linux-musl.so": tiny_elf(
                exports=["PyInit_fast"], needed=["libresolv.so.2", "ld-linux-aarch64.so.1"]
            )
        },
        finds=(
            ("W403", "fast.cpython-313-aarch64-linux-musl.so", "libresolv.so.2", "inside the wheel, or in"),
            ("W403", "fast.cpython-313-aarch64-linux-musl.so", "ld-linux-aarch64.so.1", "inside the wheel"),
        ),
    ),
    "a function of glibc alone, by its version, on musl": Case(
        tag="cp313-cp313-musllinux_1_2_aarch64",
        members={
            "fast.cpython-313-aarch64-linux-musl.so": tiny_elf(
                exports=["PyInit_fast"],
                needed=["libc.so.6"],
                undefined=["__sprintf_chk@GLIBC_2.17"],
                versions_needed={"libc.so.6": ["GLIBC_2.17"]},
            )
        },
        finds=(("W405", "fast.cpython-313-aarch64-linux-musl.so", "__sprintf_chk", "the C library"),),
    ),
    **{
        f"code at the start of Python: {file} with {text!r}": Case(
            members={f"fast{SUFFIX}": FAST, file: text.encode()},
            finds=(("W515", file, found, "folders only"),),
        )
        for file, text, found in (
            ("tiny.pth", "# Paths\n./lib\nimport os; os.umask(0)\n", "line 3: import os; os.umask(0)"),
            ("tiny.pth", "\ufeffimport\ttiny\n", "line 1: import\ttiny"),
            ("tiny-1.0.data/purelib/tiny.pth", f"import tiny{'y' * 200}\n", f"line 1: import tiny{'y' * 89}..."),
            ("tiny.start", "# Since 3.15\n\ntiny:begin\n", "line 3: tiny:begin"),
        )
    },
    **{
        f"a signature in {file}": Case(
            members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/{file}": b"{}"},
            finds=(("W516", f"{DIST_INFO}/{file}", file, "RECORD without signatures"),),
        )
        for file in ("RECORD.jws", "RECORD.p7s")
    },
    **{
        f"an entry point of nothing: {reference}": Case(
            tag="py3-none-any",
            members={
                "tiny/__init__.py": b"",
                "tiny/cli.py": b"def main() -> None: ...\n",
                f"{DIST_INFO}/entry_points.txt": f"[{group}]\ntiny = {reference}\n".encode(),
            },
            finds=(("W120", f"{DIST_INFO}/entry_points.txt", f"tiny = {reference} in [{group}]", lacking),),
        )
        for group, reference, lacking in (
            ("console_scripts", "tiny.clj:main", "a module tiny.clj"),
            ("console_scripts", "tiny.cli:mian", "mian in tiny/cli.py"),
            ("pytest11", "tinny", "a module tinny"),
            ("x.y", "tiny.cli:App.run [extra]", "App in tiny/cli.py"),
        )
    },
    **{
        f"import names: {', '.join(lines)}": Case(
            tag="py3-none-any",
            members={
                "tiny/__init__.py": b"",
                "space/tiny.py": b"",
                f"{DIST_INFO}/METADATA": stating_imports(*lines),
            },
            finds=((code, f"{DIST_INFO}/METADATA", found, expected),),
        )
        for lines, code, found, expected in (
            (
                (*IMPORTS, "Import-Name: space.tony"),
                "W121",
                "Import-Name: space.tony",
                "",
            ),
            (
                (*IMPORTS, "Import-Namespace: apace"),
                "W121",
                "Import-Namespace: apace",
                "",
            ),
            (("Import-Name: tiny", "Import-Name: space", "Import-Namespace: space"), "W121", "space in both", "one of"),
            (("Import-Name: tiny",), "W122", "space.tiny", "tiny"),
            (("Import-Name: ",), "W122", "space.tiny, tiny", "none"),
        )
    },
    "stubs without a marker": Case(
        members={f"tiny/fast{SUFFIX}": FAST, "tiny/fast.pyi": b"", "tiny/more/__init__.pyi": b"", "tony.pyi": b""},
        finds=(("W517", "tiny/fast.pyi", "a stub and 1 more", "tiny/py.typed"),),
    ),
    "a marker without stubs": Case(
        members={
            "tiny/py.typed": b"",
            f"tiny/fast{SUFFIX}": FAST,
            f"tiny/_slow{SUFFIX}": tiny_elf(exports=["PyInit__slow"]),
        },
        finds=(("W518", f"tiny/fast{SUFFIX}", "no stub", "a stub for each extension module"),),
    ),
    "more files for the start of Python than are read": Case(
        members={f"fast{SUFFIX}": FAST, **{f"{number:03}.pth": b"" for number in range(101)}},
        finds=(("W515", "100.pth", "101 files", "at most 100"),),
    ),
    "an entry point in a group called DEFAULT": Case(
        members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/entry_points.txt": b"[DEFAULT]\na = nowhere\n[b]\nc = fast\n"},
        finds=(("W120", f"{DIST_INFO}/entry_points.txt", "a = nowhere in [DEFAULT]", "a module nowhere"),),
    ),
    **{
        f"a bill of materials that is {what}": Case(
            members={f"fast{SUFFIX}": FAST, f"{DIST_INFO}/sboms/{file}": data},
            finds=(("W519", f"{DIST_INFO}/sboms/{file}", "no JSON document", "a JSON object"),),
        )
        for what, file, data in (
            ("cut off", "tiny.cdx.json", b'{"bomFormat": "CycloneDX", '),
            ("XML", "tiny.cdx.xml", b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4"/>'),
            ("a list", "tiny.spdx.json", b"[]"),
            ("UTF-16", "tiny.spdx.json", '{"packages": []}'.encode("utf-16-le")),
            ("Latin-1", "tiny.spdx.json", '{"name": "é"}'.encode("latin-1")),
        )
    },
    **{
        f"grafted libraries, and {what}": Case(
            members={
                f"tiny/fast{SUFFIX}": FAST,
                "tiny.libs/libfoo-1a2b3c4d.so.1": tiny_elf(soname="libfoo-1a2b3c4d.so.1"),
                "tiny.libs/libbar-0a1b2c3d.1.so": tiny_elf(soname="libbar-0a1b2c3d.1.so"),
                **sboms,
            },
            finds=(("W520", member, found, "a component for each"),),
        )
        for what, sboms, member, found in (
            (
                "no bill of materials",
                {},
                "tiny.libs/libbar-0a1b2c3d.1.so",
                "libbar-0a1b2c3d.1.so, libfoo-1a2b3c4d.so.1",
            ),
            (
                "one that has only one of them",
                {f"{DIST_INFO}/sboms/auditwheel.cdx.json": b'{"components": [{"name": "libbar"}]}'},
                "tiny.libs/libfoo-1a2b3c4d.so.1",
                "libfoo-1a2b3c4d.so.1",
            ),
        )
    },
    "single-phase initialisation without a word on the GIL": Case(
        tag="cp314-cp314t-manylinux_2_17_aarch64",
        members={
            "fast.cpython-314t-aarch64-linux-gnu.so": tiny_elf(
                exports=["PyInit_fast"], needed=["libc.so.6"], undefined=["PyModule_Create2"]
            )
        },
        finds=(
            (
                "W310",
                "fast.cpython-314t-aarch64-linux-gnu.so",
                "PyModule_Create without PyUnstable_Module_SetGIL",
                "a module that states how it uses the GIL",
            ),
        ),
    ),
    **{
        f"credentials: {member}": Case(
            members={f"fast{SUFFIX}": FAST, member: text.encode()},
            finds=(("W524", member, found, "no credentials"),),
        )
        for member, text, found in (
            (
                "tiny/.pypirc",
                f"[pypi]\nusername = me\npassword = {LIKE_A_KEY}\n",
                "a password for a package index in line 3",
            ),
            ("tiny/.netrc", f"machine index.org login me password {LIKE_A_KEY}", "a password in line 1"),
            ("tiny/.git-credentials", f"https://me:{LIKE_A_KEY}@index.org\n", "a password for a Git server in line 1"),
            ("tiny/.npmrc", f"//registry/:_authToken={LIKE_A_KEY}\n", "a token of npm in line 1"),
            ("tiny/.aws/credentials", f"[default]\naws_secret_access_key = {LIKE_A_KEY}\n", "a key of AWS in line 2"),
            (
                "tiny/.docker/config.json",
                f'{{"auths": {{"r": {{"auth": "{LIKE_A_KEY}"}}}}}}',
                "a password for a registry in line 1",
            ),
            ("tiny/.env", f"DEBUG=1\nexport API_TOKEN='{LIKE_A_KEY}'\n", "a password or token in line 2"),
            (
                "tiny/id_ed25519",
                f"-----BEGIN OPENSSH PRIVATE KEY-----\n{LIKE_A_KEY * 3}\n-----END OPENSSH PRIVATE KEY-----\n",
                "a private key in line 2",
            ),
            ("tiny/publish.py", f'TOKEN = "pypi-AgE{LIKE_A_KEY * 4}"\n', "a token of PyPI in line 1"),
            ("tiny/config.toml", f'token = "ghp_{(LIKE_A_KEY * 2)[:36]}"\n', "a token of GitHub in line 1"),
            ("tiny/notes.ipynb", f'"glpat-{LIKE_A_KEY}"', "a token of GitLab in line 1"),
            (
                "tiny/ci.yml",
                f"token: github_pat_{LIKE_A_KEY[:22]}_{(LIKE_A_KEY * 3)[:59]}\n",
                "a token of GitHub in line 1",
            ),
        )
    },
    **{
        f"a command of the environment: {name}": Case(
            members={f"tiny/fast{SUFFIX}": FAST, "tiny/cli.py": b"def main(): ...\n", member: text},
            finds=(("W525", member, name, "a name of its own"),),
        )
        for name, member, text in (
            *(
                (name, f"{DIST_INFO}/entry_points.txt", f"[console_scripts]\n{name} = tiny.cli:main\n".encode())
                for name in ("python", "python3", "python3.14t", "pip", "pip3.13", "pydoc")
            ),
            ("activate", "tiny-1.0.data/scripts/activate", b"#!/bin/sh\n"),
            ("Activate.ps1", "tiny-1.0.data/scripts/Activate.ps1", b""),
        )
    },
    **{
        f"a requirement that cannot be met: {line}": Case(
            tag="py3-none-any",
            members={"tiny.py": b"", **requiring(line)},
            finds=(("W123", f"{DIST_INFO}/METADATA", line, expected),),
        )
        for line, expected in (
            ("large; extra == 'test'", "Provides-Extra: test"),
            ('large>1; python_version < "3.9" and "Fast_er" == extra', "Provides-Extra: fast-er"),
            ("large==2.0+cpu", "==2.0"),
        )
    },
    **{
        f"Requires-Python: {required}": Case(
            tag="py3-none-any",
            members={"tiny.py": b"", f"{DIST_INFO}/METADATA": f"{METADATA}Requires-Python: {required}\n".encode()},
            finds=(("W124", f"{DIST_INFO}/METADATA", required, expected),),
        )
        for required, expected in (
            ("==3.13", "==3.13.*"),
            (">=3.9, <=3.13", "<3.14"),
            (">=3.9,!=3.10", "!=3.10.*"),
        )
    },
    "a version that is a placeholder": Case(
        tag="py3-none-any",
        version="0.0.0",
        members={"tiny.py": b""},
        finds=(("W125", "", "tiny 0.0.0", "the project's name and version"),),
    ),
    "a name that is a placeholder": Case(
        tag="py3-none-any",
        name="unknown",
        members={"tiny.py": b""},
        finds=(("W125", "", "unknown 1.0", "the project's name and version"),),
    ),
    **{
        f"scripts in a group that installers do not know: {group}": Case(
            tag="py3-none-any",
            members={"tiny.py": b"main = 1", f"{DIST_INFO}/entry_points.txt": f"[{group}]\nt = tiny:main\n".encode()},
            finds=(("W113", f"{DIST_INFO}/entry_points.txt", f"t in [{group}]", expected),),
        )
        for group, expected in (("console-scripts", "[console_scripts]"), ("gui_script", "[gui_scripts]"))
    },
    **{
        f"a folder of the build machine in a .pth file: {line}": Case(
            tag="py3-none-any",
            members={"__editable__.tiny-1.0.pth": f"lib\n{line}\n".encode()},
            finds=(("W526", "__editable__.tiny-1.0.pth", f"line 2: {line}", "a folder of the wheel"),),
        )
        for line in ("/home/me/tiny/src", "../../../../src", "C:\\tiny\\src")
    },
    "a module beside a package": Case(
        tag="py3-none-any",
        members={"tiny/more.py": b"", "tiny/more/__init__.py": b""},
        finds=(("W527", "tiny/more.py", "tiny/more.py beside tiny/more/__init__.py", "one of them"),),
    ),
    "an extension beside a package": Case(
        members={f"tiny/fast{SUFFIX}": FAST, "tiny/fast/__init__.py": b""},
        finds=(("W527", f"tiny/fast{SUFFIX}", f"tiny/fast{SUFFIX} beside tiny/fast/__init__.py", "one of them"),),
    ),
    **{
        f"a file for the top of the environment: {member}": Case(
            members={f"fast{SUFFIX}": FAST, f"tiny-1.0.data/data/{member}": b""},
            finds=(("W513", f"../../../{top}", "installed beside the packages", "inside a package"),),
        )
        for member, top in (
            ("README.md", "README.md"),
            ("tests/test_tiny.py", "tests/"),
            ("home/me/tiny/tiny.cfg", "home/"),
            ("usr/share/tiny/tiny.cfg", "usr/"),
        )
    },
    **{
        f"a leftover: {member}": Case(
            members={f"fast{SUFFIX}": FAST, member: b""},
            finds=(("W507", leftover, "a leftover", "only files for run time"),),
        )
        for member, leftover in (
            ("tiny/venv/pyvenv.cfg", "tiny/venv"),
            ("tiny/libfast.la", "tiny/libfast.la"),
            ("tiny/npm-debug.log", "tiny/npm-debug.log"),
            ("tiny/._tiny.py", "tiny/._tiny.py"),
        )
    },
}
