"""An answer of an index for each of its rules, which is caught by that rule and no other; and good ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from crosswheel.auditing.rules import INDEX_RULES
from crosswheel.auditing.rules.index import IndexRule
from crosswheel.errors import UploadFailed
from crosswheel.formats.distributions import Distribution
from crosswheel.model.index_limits import IndexLimits, pypi_limits
from crosswheel.publishing import admission as module
from crosswheel.publishing.admission import admission, refuse_unwelcome
from crosswheel.publishing.published import PublishedFile, PublishedProject
from crosswheel.publishing.repositories import Repository

WHEEL, SDIST = "tiny-1.0-py3-none-any.whl", "tiny-1.0.tar.gz"
NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
MIB, GIB = 1 << 20, 1 << 30


class Clock(datetime):
    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return NOW


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "datetime", Clock)


class Index(Repository):
    """One with the limits of PyPI, or with none."""

    @property
    def limits(self) -> IndexLimits | None:
        return pypi_limits() if self.name == "pypi" else None


def index(name: str) -> Repository:
    return Index(name, "https://index.example/", "https://index.example/simple/", "", "")


def there(name: str, size: int | None = 1, days: float | None = 1) -> PublishedFile:
    """A file that came so many days ago; None is what the index does not tell."""
    uploaded = None if days is None else NOW - timedelta(days=days)
    return PublishedFile(name, "a" * 64, size, "", yanked=False, url="", uploaded=uploaded)


@dataclass(frozen=True)
class Case:
    """What the index has, what would be sent to it, and all that the rules should find: code, member, found."""

    served: tuple[PublishedFile, ...] = ()
    status: str = ""
    reason: str = ""
    missing: Mapping[str, int] = field(default_factory=lambda: {WHEEL: 1, SDIST: 1})
    index: str = "pypi"
    finds: tuple[tuple[str, str, str], ...] = ()

    @property
    def project(self) -> PublishedProject:
        return PublishedProject({file.filename: file for file in self.served}, self.status, self.reason)

    @property
    def files(self) -> tuple[Distribution, ...]:
        project, version = canonicalize_name("tiny"), Version("1.0")
        return tuple(
            Distribution(Path(name), project, version, "wheel" if name.endswith("whl") else "sdist", size, "b" * 64)
            for name, size in self.missing.items()
        )


OLD_WHEEL = "tiny-1.0-cp39-cp39-manylinux_2_17_x86_64.whl"
GOOD = {
    "a new project": Case(),
    "a release of almost 14 days": Case((there(OLD_WHEEL, days=13.99),)),
    "an older release": Case((there("tiny-0.9.tar.gz", days=400),)),
    "a release of unknown age": Case((there(OLD_WHEEL, days=None),)),
    "an index that closes nothing": Case((there(OLD_WHEEL, days=400),), index="mine"),
    "a deprecated project": Case(status="deprecated", reason="use huge"),
    "a project that is just full": Case((there("tiny-0.9.tar.gz", 10 * GIB - 2),)),
    "a project that was granted more": Case((there("tiny-0.9.tar.gz", 10 * GIB + 1),)),
    "an index without a limit": Case((there("tiny-0.9.tar.gz", 10 * GIB),), index="mine"),
    "sizes that nobody tells": Case((there("tiny-0.9.tar.gz", None),)),
    "a large file where one was taken": Case(
        (there("tiny-0.9-py3-none-any.whl", 200 * MIB),), missing={WHEEL: 200 * MIB}
    ),
    "a large file elsewhere": Case(missing={WHEEL: 200 * MIB}, index="mine"),
    "the sdist of another release": Case((there("tiny-0.9.tar.gz"),)),
    "two spellings elsewhere": Case((there("Tiny-1.0.tar.gz"),), index="mine"),
}
BAD = {
    "a release of 14 days": Case(
        (there(OLD_WHEEL, days=15.2), there("tiny-1.0-py2-none-any.whl", days=3)),
        finds=(("W821", "tiny 1.0", "first file sent 2026-11-15, 15 days ago"),),
    ),
    "an archived project": Case(
        status="archived", reason="use huge", finds=(("W820", "tiny", "archived: use huge"),), index="mine"
    ),
    "a quarantined project": Case(status="quarantined", finds=(("W820", "tiny", "quarantined"),)),
    "a full project": Case(
        (there("tiny-0.9.tar.gz", 9 * GIB), there("tiny-0.8.tar.gz", GIB - 1)),
        finds=(("W822", "tiny", f"{10 * GIB - 1} bytes there and 2 to send"),),
    ),
    "a large wheel": Case(missing={WHEEL: 101 * MIB, SDIST: 1}, finds=(("W508", WHEEL, f"{101 * MIB} bytes"),)),
    "a large sdist": Case(missing={SDIST: 101 * MIB}, finds=(("W804", SDIST, f"{101 * MIB} bytes"),)),
    "another sdist": Case((there("Tiny-1.0.tar.gz"),), finds=(("W823", SDIST, "Tiny-1.0.tar.gz"),)),
}


@pytest.mark.parametrize("case", [*GOOD.values(), *BAD.values()], ids=[*GOOD, *BAD])
def test_an_answer_is_caught_by_its_rule_alone(case: Case) -> None:
    findings = admission(index(case.index), case.files, case.project)
    assert tuple((finding.rule, finding.member, finding.found) for finding in findings) == case.finds
    assert all(finding.is_error for finding in findings)


@pytest.mark.parametrize("rule", INDEX_RULES, ids=lambda rule: rule.code)
def test_every_rule_has_a_bad_answer(rule: IndexRule) -> None:
    assert any(rule.code == find[0] for case in BAD.values() for find in case.finds)


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_what_is_there_already_is_not_sent_and_breaks_no_rule(case: Case) -> None:
    assert admission(index(case.index), (), case.project) == ()


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_refusal_says_what_why_and_what_to_do(case: Case) -> None:
    with pytest.raises(UploadFailed) as caught:
        refuse_unwelcome(index(case.index), case.files, case.project, {})
    ((rule, member, found),) = case.finds
    first, second = caught.value.message.splitlines()
    assert first == f"nothing was sent: {case.index} would refuse these files of tiny 1.0"
    assert second.startswith(f"  {rule}: {member}: ")
    assert f"found {found}, expected " in second
    assert caught.value.hint
    refuse_unwelcome(index(case.index), case.files, case.project, {rule: "the index granted us more"})


def test_the_remedy_for_a_closed_release_is_a_new_version() -> None:
    with pytest.raises(UploadFailed) as caught:
        refuse_unwelcome(index("pypi"), BAD["a release of 14 days"].files, BAD["a release of 14 days"].project, {})
    assert caught.value.hint.startswith("give these files a new version")
