"""A wheelhouse for each set rule, which is caught by that rule and no other; and one that is caught by none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crosswheel.auditing.rules import SET_RULES
from crosswheel.auditing.rules.wheelhouse import SetRule, Wheelhouse, entry
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.targets import parse_target
from crosswheel.testing import tiny_wheel

ARM = "cp313-cp313-manylinux_2_17_aarch64"
OLDER = "cp312-cp312-manylinux_2_17_aarch64"
SDIST = "tiny-1.0.tar.gz"


@dataclass(frozen=True)
class Made:
    """A tiny wheel; what METADATA says beyond name and version, and a build number if it has one."""

    tag: str = ARM
    name: str = "tiny"
    version: str = "1.0"
    metadata: str = ""
    members: Mapping[str, bytes] | None = None
    build: str = ""

    def put(self, directory: Path) -> Path:
        metadata = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n{self.metadata}"
        contents = self.members if self.members is not None else {"tiny.py": self.tag.encode()}
        path = tiny_wheel(
            directory,
            name=self.name,
            version=self.version,
            tag=self.tag,
            members={f"{self.name}-{self.version}.dist-info/METADATA": metadata.encode(), **contents},
        )
        return (
            path.rename(path.with_name(path.name.replace(self.tag, f"{self.build}-{self.tag}"))) if self.build else path
        )


@dataclass(frozen=True)
class Case:
    """What lies together, with all that the set rules should find: code, member, found, expected."""

    wheels: tuple[Made, ...] = (Made(), Made(OLDER))
    sdists: tuple[str, ...] | None = (SDIST,)
    targets: tuple[str, ...] = ()
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    finds: tuple[tuple[str, str, str, str], ...] = field(default=())

    def wheelhouse(self, directory: Path) -> Wheelhouse:
        wheels = tuple(entry(read_wheel(made.put(directory))) for made in self.wheels)
        return Wheelhouse(wheels, self.sdists, tuple(map(parse_target, self.targets)), self.sources)


PACKAGE = {"tiny/__init__.py": b"", "tiny/data.json": b"{}"}


def inside(*names: str) -> frozenset[str]:
    return frozenset(f"tiny-1.0/{name}" for name in names)


GOOD = {
    "nothing": Case(wheels=(), sdists=None),
    "nothing but an sdist": Case(wheels=()),
    "two wheels and their sdist": Case(),
    "wheels alone": Case(sdists=None),
    "the plan": Case(targets=("cp313-manylinux_2_17_aarch64", "cp312-manylinux_2_28_aarch64")),
    "a pure wheel for every target": Case(
        wheels=(Made("py3-none-any"),), targets=("cp313-manylinux_2_17_aarch64", "cp39-musllinux_1_2_x86_64")
    ),
    "two projects": Case(wheels=(Made(), Made(name="other", version="2.0")), sdists=(SDIST, "other-2.0.tar.gz")),
    "metadata in another order, of another backend": Case(
        wheels=(
            Made(metadata="Requires-Dist: a\nRequires-Dist: b\nPlatform: x\n\nText\n"),
            Made(OLDER, metadata="Requires-Dist: b\nRequires-Dist:  a\nDynamic: platform\n\nText\r\n\r\n"),
        )
    ),
    "requirements in another spelling": Case(
        wheels=(
            Made(metadata='Requires-Dist: a_b>=1; extra == "x"\nRequires-Dist: no name\nRequires-Python: <4,>=3.9\n'),
            Made(
                OLDER,
                metadata="Requires-Dist: A.b >=1 ; extra=='x'\nRequires-Dist: no name\nRequires-Python: >=3.9, <4\n",
            ),
        )
    ),
    "entry points in another order": Case(
        wheels=(
            Made(members={"a.py": b"", "tiny-1.0.dist-info/entry_points.txt": b"[x]\na = b\nc = d\n"}),
            Made(OLDER, members={"b.py": b"", "tiny-1.0.dist-info/entry_points.txt": b"[x]\nc = d\n\na  = b\n"}),
        )
    ),
    "an old and a new policy": Case(wheels=(Made(), Made("cp313-cp313-manylinux_2_28_aarch64"))),
    "a build number for another tag": Case(wheels=(Made(), Made(OLDER, build="1"))),
    "an sdist with no more than sources, tests and what is of other folders beside the package": Case(
        wheels=(Made(members=PACKAGE), Made(OLDER, members={**PACKAGE, "tiny/old.py": b""})),
        sources={
            SDIST: inside(
                *("src/tiny/__init__.py", "src/tiny/fast.pyx", "src/tiny/tests/data.json", "src/tiny/old.py"),
                *("src/tiny/more/deep/x.c", "src/tiny/more/deep", "src/tiny/more"),
                *("src/tiny/.hidden", "docs/tiny/conf.json", "tiny/other.json", "src/tiny/", "setup.py"),
            )
        },
    ),
    "an sdist of another version, and files": Case(
        wheels=(Made(members=PACKAGE),), sources={"tiny-1.1.tar.gz": inside("tiny/__init__.py", "tiny/x.json")}
    ),
    "an sdist with a dash in its name": Case(wheels=(Made(name="my_tiny"),), sdists=("my_tiny-1.0.tar.gz",)),
}
NEWER = "tiny-1.1-cp313-cp313-manylinux_2_17_aarch64.whl"
STABLE = "cp315-abi3-manylinux_2_17_aarch64"
WIDE = "tiny-1.0-cp315-abi3.abi3t-manylinux_2_17_aarch64.whl"
BAD = {
    "left over from the last release": Case(
        wheels=(Made(), Made(version="1.1")),
        sdists=None,
        finds=(("W701", f"tiny-1.0-{ARM}.whl", "1.0", "1.1"),),
    ),
    "metadata of one wheel": Case(
        wheels=(
            Made(metadata="Requires-Dist: a\nRequires-Dist: b\nRequires-Python: >=3.9\n"),
            Made(OLDER, metadata="Requires-Dist: a\nRequires-Dist: c\nRequires-Python: >=3.9\n"),
            Made("cp311-cp311-manylinux_2_17_aarch64", metadata="Requires-Dist: a\nRequires-Dist: b\n"),
        ),
        finds=(
            ("W702", f"tiny-1.0-{OLDER}.whl", "Requires-Dist: c", "Requires-Dist: b"),
            (
                "W702",
                "tiny-1.0-cp311-cp311-manylinux_2_17_aarch64.whl",
                "Requires-Python: nothing",
                "Requires-Python: >=3.9",
            ),
        ),
    ),
    "another description in two of five": Case(
        wheels=tuple(
            Made(ARM.replace("cp313", f"cp3{minor}"), metadata=f"\n{'new' if minor < 11 else 'old'} " * 40)
            for minor in range(9, 14)
        ),
        finds=(
            (
                "W702",
                f"tiny-1.0-{ARM.replace('cp313', 'cp310')}.whl",
                f"Description: {('new ' * 15)[:60]}... (and in 1 more)",
                f"Description: {('old ' * 15)[:60]}...",
            ),
        ),
    ),
    "entry points of one wheel": Case(
        wheels=(Made(), Made(OLDER, members={"tiny-1.0.dist-info/entry_points.txt": b"[x]\na = b\n"})),
        finds=(("W702", f"tiny-1.0-{ARM}.whl", "entry_points.txt: nothing", "entry_points.txt: [x]; a = b"),),
    ),
    "a name in capitals": Case(
        wheels=(
            Made(),
            Made(OLDER, members={"tiny-1.0.dist-info/METADATA": b"Name: Tiny\nVersion: 1.0\n", "tiny.py": b""}),
        ),
        finds=(("W702", f"tiny-1.0-{ARM}.whl", "Name: tiny", "Name: Tiny"),),
    ),
    "a target without a wheel": Case(
        targets=("cp313-manylinux_2_17_aarch64", "cp313t-manylinux_2_17_aarch64", "cp313-musllinux_1_2_aarch64"),
        finds=(
            ("W703", "tiny", "no wheel", "cp313t-manylinux2014_aarch64"),
            ("W703", "tiny", "no wheel", "cp313-musllinux_1_2_aarch64"),
        ),
    ),
    "two wheels for one tag": Case(
        wheels=(Made(), Made(f"{ARM}.manylinux2014_aarch64")),
        finds=(
            (
                "W704",
                f"tiny-1.0-{ARM}.whl",
                f"{ARM}, as tiny-1.0-{ARM}.manylinux2014_aarch64.whl",
                "one wheel for a tag",
            ),
        ),
    ),
    "two builds": Case(
        wheels=(Made(), Made(build="2"), Made(OLDER)),
        finds=(("W705", f"tiny-1.0-{ARM}.whl", f"tiny-1.0-2-{ARM}.whl is newer", "one build"),),
    ),
    "the stable ABI of ordinary CPythons beside that of all": Case(
        wheels=(Made(STABLE), Made(STABLE.replace("abi3", "abi3.abi3t"))),
        finds=(
            (
                "W710",
                f"tiny-1.0-{STABLE}.whl",
                f"covered by {WIDE}",
                WIDE,
            ),
        ),
    ),
    "one wheel under two tags": Case(
        wheels=(Made(members={"tiny.py": b"1"}), Made(OLDER, members={"tiny.py": b"1"})),
        finds=(("W706", f"tiny-1.0-{ARM}.whl", f"the files of tiny-1.0-{OLDER}.whl", "different files"),),
    ),
    "files that only the sdist has": Case(
        wheels=(Made(members=PACKAGE), Made(OLDER, members={**PACKAGE, "x.py": b""})),
        sources={
            SDIST: inside("src/tiny/__init__.py", "src/tiny/d/a.json", "src/tiny/d/b.json", "src/tiny/c.py", "tiny/x")
        },
        finds=(("W711", SDIST, "tiny/c.py, tiny/d/a.json, tiny/d/b.json", "in a wheel, too"),),
    ),
    "no sdist": Case(sdists=(), finds=(("W707", "tiny", "no sdist", SDIST),)),
    "no sdist of one project": Case(
        wheels=(Made(), Made(name="other", version="2.0")), finds=(("W707", "other", "no sdist", "other-2.0.tar.gz"),)
    ),
    "an sdist of another version": Case(
        sdists=("tiny-1.1.tar.gz",), finds=(("W708", "tiny-1.1.tar.gz", "tiny 1.1", "tiny 1.0"),)
    ),
    "an sdist of another project": Case(
        sdists=("large-1.0.tar.gz",), finds=(("W708", "large-1.0.tar.gz", "large 1.0", "tiny 1.0"),)
    ),
    "an sdist in capitals": Case(
        sdists=("Tiny-1.0.tar.gz",), finds=(("W709", "Tiny-1.0.tar.gz", "Tiny-1.0.tar.gz", SDIST),)
    ),
    "an sdist that is a zip archive": Case(
        sdists=("tiny-1.0.zip",), finds=(("W709", "tiny-1.0.zip", "tiny-1.0.zip", SDIST),)
    ),
    "an sdist with no version": Case(
        sdists=("tiny.tar.gz",), finds=(("W709", "tiny.tar.gz", "tiny.tar.gz", "NAME-VERSION.tar.gz"),)
    ),
}


@pytest.mark.parametrize("case", [*GOOD.values(), *BAD.values()], ids=[*GOOD, *BAD])
def test_a_wheelhouse_is_caught_by_its_rule_alone(case: Case, tmp_path: Path) -> None:
    wheelhouse = case.wheelhouse(tmp_path)
    findings = [finding for rule in SET_RULES for finding in rule.check(wheelhouse)]
    assert tuple((f.rule, f.member, f.found, f.expected) for f in findings) == case.finds


@pytest.mark.parametrize("rule", SET_RULES, ids=lambda rule: rule.code)
def test_every_set_rule_has_a_bad_wheelhouse(rule: SetRule) -> None:
    assert any(rule.code == find[0] for case in BAD.values() for find in case.finds)
