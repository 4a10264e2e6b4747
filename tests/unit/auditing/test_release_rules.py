"""A release for each of its rules, which is caught by that rule and no other; and good ones, caught by none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from crosswheel.auditing.rules import RELEASE_RULES
from crosswheel.auditing.rules.release import Described, Release, ReleaseRule
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Finding
from crosswheel.model.targets import parse_target
from crosswheel.steps.check import check, graver
from crosswheel.system.git import Checkout

WHEEL, SDIST = "tiny-1.0-py3-none-any.whl", "tiny-1.0.tar.gz"
TAGGED = Checkout("c" * 40, 0, ("nightly", "v1.0"))
HUGE = 101 << 20
ARM = parse_target("cp313-manylinux2014_aarch64")


@dataclass(frozen=True)
class Case:
    """A release, and all that the rules should find: code, member, found, expected."""

    files: Mapping[str, int] = field(default_factory=lambda: {WHEEL: 1, SDIST: 1})
    described: Mapping[str, Described] = field(default_factory=dict)
    checkout: Checkout | str = TAGGED
    tag_format: str = "v{version}"
    builds: tuple[Build, ...] = ()
    finds: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def release(self) -> Release:
        files = tuple(
            Distribution(
                path=Path("wheelhouse", name),
                name=canonicalize_name("tiny"),
                version=Version("1.0"),
                kind="wheel" if name.endswith("whl") else "sdist",
                size=size,
                sha256="a" * 64,
            )
            for name, size in self.files.items()
        )
        return Release(files, self.described, self.checkout, self.tag_format, self.builds)


GOOD = {
    "a wheel and an sdist": Case(),
    "a name that agrees, spelled otherwise": Case(described={SDIST: Described(name="Tiny", version="1.0")}),
    "the newest metadata that the index takes": Case(described={WHEEL: Described(metadata_version="2.5")}),
    "a licence that is inside": Case(
        described={SDIST: Described(licences=("docs/L",), members=frozenset({"t", "t/PKG-INFO", "t/docs/L"}))}
    ),
    "a wheel as it was built": Case(builds=(Build(ARM, "built", "cross", file=WHEEL, sha256="a" * 64),)),
    "a wheel that some other run built": Case(builds=(Build(ARM, "built", "cross", file="x.whl", sha256="b" * 64),)),
    "a target that failed": Case(builds=(Build(ARM, "failed", "cross"),)),
    "tags of another form": Case(checkout=Checkout("c" * 40, 0, ("1.0.0", "v2")), tag_format="{version}"),
    "a large wheel, of which the audit speaks": Case(files={WHEEL: HUGE, SDIST: 1}),
}
BAD = {
    "metadata that twine refuses": Case(
        described={SDIST: Described(refused="no name")}, finds=(("W801", SDIST, "no name", "valid metadata"),)
    ),
    "markup with mistakes": Case(
        described={WHEEL: Described(unrendered=("line 1: a", "line 2: b", "line 3: c", "line 4: d"))},
        finds=(("W802", WHEEL, "line 1: a; line 2: b; line 3: c and 1 more", "markup that renders"),),
    ),
    "no description": Case(
        described={WHEEL: Described(missing=("no text",))},
        finds=(("W803", WHEEL, "no text", "a description and its content type"),),
    ),
    "a large sdist": Case(
        files={WHEEL: 1, SDIST: HUGE},
        finds=(("W804", SDIST, f"{HUGE} bytes", f"at most {100 << 20} bytes"),),
    ),
    "an sdist of another version": Case(
        described={SDIST: Described(name="tiny", version="1.1")}, finds=(("W805", SDIST, "tiny 1.1", "tiny 1.0"),)
    ),
    "an sdist of another project": Case(
        described={SDIST: Described(name="other", version="1.0")}, finds=(("W805", SDIST, "other 1.0", "tiny 1.0"),)
    ),
    "an sdist whose name spells the version otherwise": Case(
        described={SDIST: Described(name="tiny", version="1.0.0")}, finds=(("W805", SDIST, "tiny 1.0.0", "tiny 1.0"),)
    ),
    "metadata of PEP 808": Case(
        described={WHEEL: Described(metadata_version="2.6"), SDIST: Described(metadata_version="2.6")},
        finds=tuple(("W810", file, "Metadata-Version 2.6", "at most 2.5") for file in (WHEEL, SDIST)),
    ),
    "sparse members": Case(
        described={SDIST: Described(sparse=("t/a", "t/b", "t/c", "t/d"))},
        finds=tuple(("W811", SDIST, f"{name} is sparse", "regular files") for name in ("t/a", "t/b", "t/c")),
    ),
    "a licence that is not inside": Case(
        described={SDIST: Described(licences=("LICENSE",), members=frozenset({"t/PKG-INFO", "t/docs/LICENSE"}))},
        finds=(("W812", SDIST, "no t/LICENSE", "every License-File of PKG-INFO"),),
    ),
    "no wheel": Case(files={SDIST: 1}, finds=(("W806", "tiny", "no wheel", "a wheel for every target"),)),
    "another tag": Case(checkout=Checkout("c" * 40, 0, ("nightly", "v1.1")), finds=(("W807", "tiny", "v1.1", "v1.0"),)),
    "no tag": Case(
        checkout=Checkout("c" * 40, 0, ("nightly",)), finds=(("W808", "tiny", "no tag on cccccccccccc", "v1.0"),)
    ),
    "no repository": Case(checkout="no repository", finds=(("W808", "tiny", "no repository", "v1.0"),)),
    "a wheel that was changed": Case(
        builds=(Build(ARM, "built", "cross", file=WHEEL, sha256="b" * 64),),
        finds=(("W809", WHEEL, f"sha256 {'a' * 64}", f"sha256 {'b' * 64}"),),
    ),
}


@pytest.mark.parametrize("case", [*GOOD.values(), *BAD.values()], ids=[*GOOD, *BAD])
def test_a_release_is_caught_by_its_rule_alone(case: Case) -> None:
    assert tuple((f.rule, f.member, f.found, f.expected) for f in check(case.release)) == case.finds


@pytest.mark.parametrize("rule", RELEASE_RULES, ids=lambda rule: rule.code)
def test_every_rule_has_a_bad_release(rule: ReleaseRule) -> None:
    assert any(rule.code == find[0] for case in BAD.values() for find in case.finds)


def test_a_rule_can_be_switched_off() -> None:
    (finding,) = check(BAD["no wheel"].release, {"W806": "it is all Python"})
    assert (finding.ignored, finding.is_error) == ("it is all Python", False)


def test_what_an_audit_only_notes_a_release_may_not_have() -> None:
    found = [
        Finding("W707", "note", "no sdist"),
        Finding("W508", "warning", "large"),
        Finding("W510", "warning", "late"),
        Finding("W117", "note", "a local version"),
        Finding("W810", "warning", "metadata of tomorrow"),
    ]
    assert [finding.level for finding in graver(found, "pypi")] == ["error", "error", "warning", "error", "error"]
    assert [finding.level for finding in graver(found, "mine")] == ["error", "error", "warning", "note", "warning"]
