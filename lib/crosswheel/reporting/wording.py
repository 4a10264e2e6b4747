"""Plain text for sizes, times, outcomes and failures; terminals, logs and Markdown share it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from crosswheel.model.job import Chore, Difference, Finding, Job, Level, Outcome, Plan, Report, Status
from crosswheel.reporting.tally import Tally, tally
from crosswheel.reporting.untrusted import lines, one_line

# (rich style, text) of one line
Line: TypeAlias = tuple[str, str]
# Style of commands, which are never wrapped: a line break in a copied command would run half of it.
COMMAND = "bold"

MARKS: dict[Status, str] = {"built": "✔", "kept": "✔", "reused": "↺", "pure": "↺", "failed": "✘", "cancelled": "-"}
FINDING_STYLES: dict[Level, str] = {"error": "red", "warning": "yellow", "note": "cyan"}
STYLES: dict[Status, str] = {
    "built": "green",
    "kept": "green",
    "reused": "cyan",
    "pure": "cyan",
    "failed": "red",
    "cancelled": "yellow",
}

# Wide enough for cp313t-manylinux_2_28_aarch64, so that the words after most targets are aligned.
_TARGET_WIDTH = 29
_PROJECT_WIDTH = 20
_TAIL_LINES = 15
_NAMES = 12
_DIGEST = re.compile(r"(@sha256:[0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])")


def size_text(size: float) -> str:
    if size < 1024:  # noqa: PLR2004 - that is what a KiB is
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB"):
        size /= 1024
        # 1023.95 would be rounded up to 1024.0.
        if size < 1023.95:  # noqa: PLR2004
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} GiB"


def seconds_text(seconds: float) -> str:
    return f"{seconds:.1f} s"


def about_text(seconds: float) -> str:
    """An estimated time, coarse: ``8 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:  # noqa: PLR2004 - nobody counts further in seconds
        return f"{math.ceil(seconds)} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 - nor in minutes


def chore_text(chore: Chore) -> str:
    ending = " ..." if chore.seconds is None else f": {seconds_text(chore.seconds)}"
    return one_line(chore.text) + ending


def hit_rate_text(hits: int, misses: int) -> str:
    return f"{hits} of {count_text(hits + misses, 'compile')} from the cache"


def by_gcc_text(commands: int, by_gcc: int, seconds: float) -> str:
    """The part of an accelerated build that was emulated: clang could not serve these commands."""
    return f"{by_gcc} of {count_text(commands, 'compiler command')} by the image's gcc, {seconds_text(seconds)}"


def count_text(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def names_text(names: Sequence[str]) -> str:
    """The first names, and the number of the others: ``a, b and 3 more``."""
    shown = ", ".join(names[:_NAMES])
    return f"{shown} and {len(names) - _NAMES} more" if len(names) > _NAMES else shown


def job_text(job: Job, words: str, project: str = "") -> str:
    return f"{project_text(project)}{job.target!s:<{_TARGET_WIDTH}}  {words}"


def project_text(project: str) -> str:
    """The column with the project of a job, where several are built at the same time."""
    return f"{one_line(project):<{_PROJECT_WIDTH}}  " if project else ""


def headline(outcome: Outcome, project: str = "") -> str:
    """The line of a finished job."""
    return f"{MARKS[outcome.status]} {job_text(outcome.job, _ending(outcome), project)}"


_COMPARED = {None: "", True: ", reproducible", False: ", not reproducible"}


def _ending(outcome: Outcome) -> str:
    if outcome.status == "built":
        size = f" ({size_text(outcome.wheel.size)})" if outcome.wheel else ""
        usage = outcome.usage
        cached = f", {hit_rate_text(usage.hits, usage.misses)}" if usage.hits else ""
        gcc = f", {by_gcc_text(usage.commands, usage.by_gcc, usage.gcc_seconds)}" if usage.by_gcc else ""
        return f"built in {seconds_text(outcome.seconds)}{size}{cached}{gcc}{_COMPARED[outcome.reproducible]}"
    if outcome.failure:
        return f"failed in {outcome.failure.step} after {seconds_text(outcome.seconds)}"
    return f"{outcome.status}: {one_line(outcome.note)}" if outcome.note else outcome.status


def failure_lines(outcome: Outcome) -> Iterator[Line]:
    """The lines below the headline of a failed job: message, hint, and the end of the log."""
    failure = outcome.failure
    if not failure:
        return
    yield from (("red", f"    {line}") for line in lines(failure.message))
    yield from ((COMMAND, f"    try: {line}") for line in lines(failure.hint))
    yield from (("dim", f"    | {line}") for tail in failure.log_tail[-_TAIL_LINES:] for line in lines(tail))
    if outcome.log:
        yield "", f"    log: {one_line(str(outcome.log))}"


def remark_lines(outcome: Outcome) -> Iterator[Line]:
    """All lines about a job beside its row in the table."""
    yield from note_lines(outcome)
    yield from finding_lines(outcome)
    yield from difference_lines(outcome)


def note_lines(outcome: Outcome) -> Iterator[Line]:
    """The wheel that serves a target without a wheel of its own."""
    if outcome.note and outcome.status != "kept":
        yield STYLES[outcome.status], f"{MARKS[outcome.status]} {outcome.job.target}: {one_line(outcome.note)}"


def finding_lines(outcome: Outcome) -> Iterator[Line]:
    """The errors and warnings of the audit; its notes are in the report only."""
    for finding in outcome.findings:
        if finding.level == "note":
            continue
        evidence = evidence_text(finding)
        text = f"{finding_text(finding)} ({evidence})" if evidence else finding_text(finding)
        yield finding_style(finding), f"! {outcome.job.target}: {text}"
        if finding.fix and not finding.ignored:
            yield "bold", f"    fix: {one_line(finding.fix)}"


def difference_lines(outcome: Outcome) -> Iterator[Line]:
    """The differences of a second build with their causes; those that follow from others are in the report only."""
    told = [difference for difference in outcome.differences if not difference.cause.startswith("follows ")]
    for difference in told[:_NAMES]:
        where = f", {one_line(difference.where)}" if difference.where else ""
        yield "red", f"! {outcome.job.target}: not reproducible: {_differing(difference)}{where}"
        if difference.cause:
            yield "bold", f"    cause: {one_line(difference.cause)}"
    if len(told) > _NAMES:
        yield "red", f"! {outcome.job.target}: and {count_text(len(told) - _NAMES, 'difference')} more"


def _differing(difference: Difference) -> str:
    return f"{one_line(difference.member) or 'the archive'} ({difference.kind})"


def finding_style(finding: Finding) -> str:
    return "dim" if finding.ignored else FINDING_STYLES[finding.level]


def finding_text(finding: Finding) -> str:
    """Level, code and message of a finding."""
    off = f"switched off ({one_line(finding.ignored)}), " if finding.ignored else ""
    return f"{off}{finding.level} {one_line(finding.rule)}: {one_line(finding.message)}"


def evidence_text(finding: Finding) -> str:
    """The member, what was found and what was expected; empty if the finding has none of these."""
    found = f"found {one_line(finding.found)}" if finding.found else ""
    expected = f"expected {one_line(finding.expected)}" if finding.expected else ""
    return ", ".join(part for part in (one_line(finding.member), found, expected) if part)


def reason_text(text: str) -> str:
    """A reason in one line, with short image digests: ``manylinux2014_aarch64@sha256:0123456789ab``.

    JSON has the full digests.
    """
    return _DIGEST.sub(r"\1", one_line(text))


def refusal_lines(plan: Plan) -> Iterator[Line]:
    """The reasons why engines were not chosen, each once; for tables without room for that column."""
    refusals = Counter((refusal.engine, refusal.reason) for job in plan.jobs for refusal in job.refused)
    if refusals:
        yield "bold", "refused"
    for (engine, reason), targets in refusals.items():
        yield "", f"  {one_line(engine)} for {count_text(targets, 'target')}: {reason_text(reason)}"


@dataclass(frozen=True)
class LeftOutGroup:
    """Targets that were left out for the same reason."""

    names: tuple[str, ...]
    reason: str
    hint: str
    asked_for: bool


def left_out_groups(plan: Plan) -> list[LeftOutGroup]:
    """The targets that were left out, grouped by reason: requested ones first, then in the order of the plan."""
    names: dict[tuple[bool, str, str], list[str]] = {}
    for left_out in sorted(plan.left_out, key=lambda left_out: not left_out.asked_for):
        why = (left_out.asked_for, reason_text(left_out.reason), one_line(left_out.hint))
        names.setdefault(why, []).append(one_line(left_out.what))
    return [LeftOutGroup(tuple(group), reason, hint, asked) for (asked, reason, hint), group in names.items()]


def left_out_lines(plan: Plan) -> Iterator[Line]:
    heading = ""
    for group in left_out_groups(plan):
        new_heading = "left out, although requested" if group.asked_for else "left out"
        if new_heading != heading:
            yield "bold yellow" if group.asked_for else "bold", new_heading
            heading = new_heading
        yield "", f"  {names_text(group.names)}: {group.reason}"
        if group.hint:
            yield COMMAND, f"    try: {group.hint}"


def closing_lines(report: Report) -> Iterator[Line]:
    """The totals of the run in one line, then a line per reason for untested wheels."""
    count = tally(report)
    asked = sum(left_out.asked_for for left_out in report.plan.left_out)
    others = {
        "failed": count.failed,
        "cancelled": count.cancelled,
        "unfinished": len(count.unfinished),
        "left out although requested": asked,
        "not reproducible": count.irreproducible,
    }
    parts = [
        _wheels_text(count),
        *(f"{number} {word}" for word, number in others.items() if number),
        *([f"{count.reproducible} reproducible"] if count.reproducible else []),
        *([hit_rate_text(count.hits, count.misses)] if count.hits else []),
        *([by_gcc_text(count.commands, count.by_gcc, count.gcc_seconds)] if count.by_gcc else []),
        seconds_text(report.seconds),
    ]
    yield "bold red" if any(others.values()) else "bold green", " · ".join(parts)
    yield from (("", line) for line in _tested_texts(count))
    yield from (("bold yellow", line) for line in _untested_texts(count))


def _wheels_text(count: Tally) -> str:
    folders = {one_line(str(wheel.path.parent)) for wheel in count.wheels}
    place = f" in {folders.pop()}/" if len(folders) == 1 else ""
    if count.served == count.built + count.kept:
        kept = f", {count.kept} of them from earlier runs" if count.kept else ""
        return f"{count.served} of {count_text(count.jobs, 'wheel')}{place}{kept}"
    files = count_text(len(count.wheels), "wheel")
    return f"{count.served} of {count_text(count.jobs, 'target')} served by {files}{place}"


def _tested_texts(count: Tally) -> Iterator[str]:
    """One line per way in which wheels were tested."""
    targets: dict[str, list[str]] = {}
    for outcome in count.tested:
        if outcome.tested_how:
            targets.setdefault(outcome.tested_how, []).append(str(outcome.job.target))
    for how, names in targets.items():
        yield f"tested {how}{'' if len(names) == count.served else f': {names_text(names)}'}"


def _untested_texts(count: Tally) -> Iterator[str]:
    """One line per reason for untested wheels."""
    targets: dict[str, list[str]] = {}
    for outcome in count.untested:
        targets.setdefault(reason_text(outcome.untested), []).append(str(outcome.job.target))
    for reason, names in targets.items():
        wheels = "these wheels" if len(names) == count.served else f"the wheels of {names_text(names)}"
        yield f"NOT TESTED: no step ran {wheels} on their targets{f': {reason}' if reason else ''}"


def estimate_lines(plan: Plan) -> Iterator[Line]:
    """The estimated time, if earlier runs give one; unchanged wheels take almost none."""
    if plan.seconds is not None:
        yield "", f"about {about_text(plan.seconds)}, estimated from earlier runs; unchanged targets take less"


def plan_untested_lines(plan: Plan) -> Iterator[Line]:
    """The wheels that will not be tested, one line per reason."""
    targets: dict[str, list[str]] = {}
    for job in plan.jobs:
        if job.untested:
            targets.setdefault(reason_text(job.untested), []).append(str(job.target))
    if targets:
        yield "bold yellow", "will not be tested"
    for reason, names in targets.items():
        yield "", f"  {'all' if len(names) == len(plan.jobs) else names_text(names)}: {reason}"
