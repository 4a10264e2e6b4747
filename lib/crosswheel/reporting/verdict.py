"""What came out of a run, a release or a judged tree, in one sentence; the terminal and the page say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import count_text

Document: TypeAlias = Mapping[str, Any]
Mood: TypeAlias = Literal["good", "mixed", "bad"]


_ASIDE = re.compile(r" \([^()]*\)$")  # which command it was: the failure itself tells it


@dataclass(frozen=True)
class Verdict:
    """A sentence; `good`: all is as it was asked for, `mixed`: with a reservation, `bad`: something is missing."""

    mood: Mood
    text: str


def run_verdict(report: Document) -> Verdict:
    """Of the document of a report."""
    totals = report["totals"]
    jobs, served = totals["jobs"], sum(totals[word] for word in ("built", "kept", "reused", "pure"))
    asked = sum(1 for each in report["left_out"] if each["asked_for"])
    wheels = f"{'All' if served == jobs else str(served) + ' of'} {count_text(jobs, 'target')} {_have(jobs)} a wheel"
    if jobs == served == 1:
        wheels = "The target has a wheel"
    parts = [wheels if jobs else "Nothing was to be built", *_missing(report, asked)]
    if served:
        parts.append(_tested(served, totals["untested"]))
    if different := sum(1 for job in report["jobs"] if job.get("differences")):
        parts.append(f"a second build of {different} gave other bytes")
    bad = served < jobs or asked or different or not jobs
    return Verdict("bad" if bad else "mixed" if totals["untested"] else "good", f"{'; '.join(parts)}.")


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _missing(report: Document, asked: int) -> Iterator[str]:
    totals = report["totals"]
    if failed := [job for job in report["jobs"] if job["failure"]]:
        first = failed[0]
        why = _ASIDE.sub("", one_line(first["failure"]["message"].partition("\n")[0]))
        where = f"{one_line(first['target'])} in {one_line(first['failure']['step'])}"
        yield f"{len(failed)} failed, {'the first' if len(failed) > 1 else 'that is'} {where}: {why}"
    if stopped := totals["cancelled"] + totals["unfinished"]:
        yield f"{stopped} {'was' if stopped == 1 else 'were'} not finished"
    if asked:
        yield f"{asked} of those requested {_have(asked)} no job"


def _tested(served: int, untested: int) -> str:
    if not untested:
        return "each was tested on its architecture" if served > 1 else "it was tested on its architecture"
    if untested >= served:
        return "none was tested on its architecture" if served > 1 else "it was not tested on its architecture"
    return f"{served - untested} of them tested on their architecture, {untested} not"


def tree_verdict(tree: Document) -> Verdict:
    """Of a tree in the document of `readiness`."""
    packages = {(each["name"], each["version"]) for each in tree["packages"]}
    lacking = {(each["name"], each["version"]) for each in tree["packages"] if is_missing(each)}
    never = {
        (one["name"], one["version"]) for one in tree["packages"] if is_missing(one) and one["state"] != "to build"
    }
    named = one_line(tree["named"])
    if tree["unsolved"]:
        pythons = ", ".join(one_line(each["python"]) for each in tree["unsolved"])
        return Verdict("bad", f"No versions of {named} fit {pythons}.")
    if not lacking:
        return Verdict("good", f"{named}: all {count_text(len(packages), 'package')} have wheels on every platform.")
    impossible = f"; {len(never)} cannot be built" if never else ""
    ready = f"{len(packages) - len(lacking)} of {count_text(len(packages), 'package')} have wheels everywhere"
    return Verdict("bad" if never else "mixed", f"{named}: {ready}; {len(lacking)} lack some{impossible}.")


def is_missing(package: Document) -> bool:
    """Whether an installer would have to build this package."""
    return package["state"] in {"to build", "impossible"} and not package["missing_elsewhere_too"]


def release_verdict(release: Document) -> Verdict:
    """Of a release.json."""
    named = one_line(f"{release['name']} {release['version']}")
    wrong = [one_line(index["name"]) for index in release["indexes"] if not index["ok"]]
    right = [one_line(index["name"]) for index in release["indexes"] if index["ok"]]
    files, were = count_text(len(release["files"]), "file"), "was" if len(release["files"]) == 1 else "were"
    if wrong:
        return Verdict("bad", f"{named}: {', '.join(wrong)} does not serve what was built.")
    if not right:
        return Verdict("mixed", f"{named} has {files} and is on no index.")
    return Verdict("good", f"{named} is released: {', '.join(right)} serves exactly the {files} that {were} built.")
