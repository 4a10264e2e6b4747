"""The failures and findings of a run, the same ones of many jobs together."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crosswheel.auditing.rules import ALL_RULES

_LEVELS = ("error", "warning", "note")
# Of a page: 1,000 jobs may fail, each with 100 lines, and the page is to stay below 2 MB.
_LETTERS_OF_LOGS = 400_000
_LONGEST_LINE = 400
_FEWEST_LINES = 5


@dataclass(frozen=True)
class Failed:
    """A failed job; `cut` is the number of lines of its log's end that the page has no room for."""

    target: str
    engine: str
    step: str
    kind: str
    cause: str
    message: tuple[str, ...]
    hint: tuple[str, ...]
    tail: tuple[str, ...]
    cut: int
    log: str


@dataclass(frozen=True)
class Found:
    """A finding and the jobs that have it."""

    rule: str
    level: str
    message: str
    member: str
    found: str
    expected: str
    fix: str
    ignored: str
    known: bool
    """Whether the page explains the rule."""
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Explained:
    """A rule of the audit: what it means, why it matters, and how to mend it."""

    code: str
    meaning: str
    why: str
    fix: str


def failed_of(report: Mapping[str, Any]) -> list[Failed]:
    """The failed jobs, in the order of the plan."""
    jobs = [job for job in report["jobs"] if job["failure"]]
    room = _LETTERS_OF_LOGS // max(1, len(jobs))
    return [_failed(job, room) for job in jobs]


def found_of(report: Mapping[str, Any]) -> list[Found]:
    """The findings, the worst first; those that are switched off come last."""
    together: dict[tuple[str, ...], list[str]] = {}
    names = ("rule", "level", "message", "member", "found", "expected", "fix", "ignored")
    for job in report["jobs"]:
        for finding in job["findings"]:
            together.setdefault(tuple(str(finding[name]) for name in names), []).append(job["target"])
    known = {rule.code for rule in ALL_RULES}
    found = [
        Found(**dict(zip(names, words, strict=True)), known=words[0] in known, targets=tuple(dict.fromkeys(targets)))
        for words, targets in together.items()
    ]
    return sorted(found, key=lambda one: (bool(one.ignored), _LEVELS.index(one.level), one.rule))


def explained(findings: list[Found]) -> list[Explained]:
    """The rules of these findings, as far as they are the audit's own."""
    codes = {finding.rule for finding in findings}
    return [
        Explained(rule.code, " ".join((inspect.getdoc(type(rule)) or "").split()), rule.why, rule.fix)
        for rule in ALL_RULES
        if rule.code in codes
    ]


def _failed(job: Mapping[str, Any], room: int) -> Failed:
    failure = job["failure"]
    lines = [line[:_LONGEST_LINE] for line in failure["log_tail"]]
    tail = tuple(_last(lines, room))[::-1]
    return Failed(
        target=job["target"],
        engine=job["engine"],
        step=failure["step"],
        kind=failure["kind"],
        cause=failure.get("cause", ""),
        message=tuple(failure["message"].splitlines()),
        hint=tuple(failure["hint"].splitlines()),
        tail=tail,
        cut=len(lines) - len(tail),
        log=job["log"] or "",
    )


def _last(lines: list[str], room: int) -> Iterator[str]:
    """The last lines, from the end, as far as there is room."""
    for number, line in enumerate(reversed(lines)):
        room -= len(line) + 1
        if room < 0 and number >= _FEWEST_LINES:
            return
        yield line
