"""The readiness of dependency trees as tables, Markdown and JSON; what is missing comes first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.errors import CrosswheelError
from crosswheel.model.targets import PythonTag
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import Document
from crosswheel.reporting.markdown import escape, row
from crosswheel.reporting.run import shown
from crosswheel.reporting.tables import Column, drawn, fitting
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import COMMAND, Line, count_text, names_text, reason_text
from crosswheel.trees.explanations import Explanation
from crosswheel.trees.readiness import Advice, TreeReadiness
from crosswheel.trees.verdicts import Verdict

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA = 1
_MANY = 3


@dataclass(frozen=True)
class _Row:
    """A package that lacks a wheel somewhere; `lacking` has its verdicts by platform."""

    name: str
    version: str
    lacking: dict[str, list[Verdict]]
    present: Mapping[str, int]
    """The number of cells that the package is in, by platform."""
    required_by: tuple[str, ...]
    remedy: str


def readiness_text(
    trees: Sequence[TreeReadiness], console: Console | None = None, refused: Sequence[CrosswheelError] = ()
) -> str:
    """For each tree: the missing wheels, the advice, and a verdict in one line for each platform."""
    console = console or plain_console()
    parts: list[RenderableType] = []
    for tree in trees:
        rows = _rows(tree)
        if rows:
            columns = fitting(console, _columns(tree), rows)
            parts += [drawn(columns, rows), ""]
        parts += [*styled([*_unsolved_lines(tree), *_advice_lines(tree), *_closing(tree)])]
    parts += styled(_refused_lines(refused))
    return shown(console, parts)


def readiness_markdown(trees: Sequence[TreeReadiness], refused: Sequence[CrosswheelError] = ()) -> str:
    """The same as Markdown."""
    parts = []
    for tree in trees:
        parts.append(f"### Wheels for {escape(one_line(tree.named))}")
        parts.append("\n".join(f"- {escape(text)}" for _, text in _closing(tree)))
        if rows := _rows(tree):
            columns = _columns(tree)
            lines = [row(column.name for column in columns), row("---" for _ in columns)]
            parts.append("\n".join([*lines, *(row(column.cell(one) for column in columns) for one in rows)]))
        notes = [*_unsolved_lines(tree), *_advice_lines(tree)]
        parts.append("\n".join(f"- {escape(text.strip())}" for _, text in notes))
    parts.append("\n".join(f"- {escape(text.strip())}" for _, text in _refused_lines(refused)))
    return "\n\n".join(part for part in parts if part) + "\n"


def readiness_document(trees: Sequence[TreeReadiness], refused: Sequence[CrosswheelError] = ()) -> Document:
    """Every verdict of every tree; `docs/readiness.schema.json` describes it."""
    return {
        "schema": SCHEMA,
        "kind": "readiness",
        "crosswheel": __version__,
        "trees": [_tree(tree) for tree in trees],
        "refused": [
            {"kind": type(error).__name__, "message": error.message, "hint": error.hint or None} for error in refused
        ],
    }


def _tree(tree: TreeReadiness) -> Document:
    left_out = set(tree.left_out)
    return {
        "named": tree.named,
        "cells": [str(cell) for cell in tree.cells],
        "packages": [_verdict(verdict, tree, left_out=verdict in left_out) for verdict in tree.verdicts],
        "unsolved": [{"python": str(python), "reason": reason} for python, reason in tree.unsolved.items()],
        "unknown": list(tree.unknown),
        "advice": [
            {"cell": str(advice.cell), "pins": dict(advice.pins), "reason": advice.reason or None}
            for advice in tree.advice
        ],
        "totals": {
            "verdicts": len(tree.verdicts),
            "missing": len(tree.missing),
            "impossible": len(tree.impossible),
            "left_out": len(tree.left_out),
        },
    }


def _verdict(verdict: Verdict, tree: TreeReadiness, *, left_out: bool) -> Document:
    told = tree.explanations.get(verdict)
    return {
        "name": verdict.name,
        "version": verdict.version or None,
        "cell": verdict.cell.name,
        "state": verdict.state,
        "file": verdict.file or None,
        "reason": verdict.reason or None,
        "required_by": list(tree.required_by.get(verdict.name, ())),
        "newest_with_wheel": told.newest or None if told else None,
        "missing_elsewhere_too": left_out,
    }


def _rows(tree: TreeReadiness) -> list[_Row]:
    grouped: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in tree.missing:
        grouped[verdict.name, verdict.version].append(verdict)
    present: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for verdict in tree.verdicts:
        if (verdict.name, verdict.version) in grouped:
            present[verdict.name, verdict.version][verdict.cell.platform] += 1
    return [_row(tree, verdicts, present[package]) for package, verdicts in sorted(grouped.items())]


def _row(tree: TreeReadiness, verdicts: Sequence[Verdict], present: Mapping[str, int]) -> _Row:
    name, version = verdicts[0].name, verdicts[0].version
    lacking: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        lacking[verdict.cell.platform].append(verdict)
    return _Row(name, version, lacking, present, tree.required_by.get(name, ()), _remedy(tree, verdicts))


def _remedy(tree: TreeReadiness, verdicts: Sequence[Verdict]) -> str:
    """What a person would do: move the pin, build it, or look for something else."""
    texts = (_one_remedy(verdict, tree.explanations.get(verdict)) for verdict in verdicts)
    return "; ".join(dict.fromkeys(texts))


def _one_remedy(verdict: Verdict, told: Explanation | None) -> str:
    first = verdict.reason if verdict.state == "impossible" else "build it"
    if told is None:
        return first
    if told.is_newer(verdict.version):
        return f"{told.newest} has a wheel"
    if told.lacking:
        return f"{first} (no answer about other versions: {told.lacking})"
    if told.newest == verdict.version:
        return f"{first} (the index has a wheel of this version, the lock does not name it)"
    return (
        f"{first}; the last version with a wheel is {told.newest}"
        if told.newest
        else f"{first}; no version has a wheel"
    )


def _columns(tree: TreeReadiness) -> list[Column[_Row]]:
    platforms = tuple(dict.fromkeys(cell.platform for cell in tree.cells))
    return [
        Column("package", lambda one: one_line(f"{one.name} {one.version}".strip())),
        *(_platform_column(platform) for platform in platforms),
        Column("required by", lambda one: one_line(names_text(one.required_by)) or "(named)", spare=2, prose=True),
        Column("what to do", lambda one: reason_text(one.remedy), spare=1, prose=True),
    ]


def _platform_column(platform: str) -> Column[_Row]:
    def cell(one: _Row) -> str:
        lacking = one.lacking.get(platform, [])
        if not lacking:
            return "✔" if one.present.get(platform) else "-"
        mark = "✘ impossible" if any(verdict.state == "impossible" for verdict in lacking) else "✘ build"
        pythons = [str(verdict.cell.python) for verdict in lacking]
        return mark if len(lacking) == one.present.get(platform) else f"{mark} {_short(pythons)}"

    return Column(platform, cell, lambda one: "red" if one.lacking.get(platform) else "green")


def _short(pythons: Sequence[str]) -> str:
    return ", ".join(pythons) if len(pythons) <= _MANY else f"{pythons[0]} to {pythons[-1]}"


def _refused_lines(refused: Sequence[CrosswheelError]) -> Iterator[Line]:
    for error in refused:
        yield "red", reason_text(error.message)
        yield COMMAND, f"    try: {one_line(error.hint)}"


def _unsolved_lines(tree: TreeReadiness) -> Iterator[Line]:
    if tree.unknown:
        names = names_text(list(tree.unknown))
        yield "yellow", f"the requirements of {names} are not known: a build of the metadata failed here"
    pythons: dict[str, list[PythonTag]] = defaultdict(list)
    for python, reason in tree.unsolved.items():
        pythons[reason].append(python)
    for reason, those in pythons.items():
        yield "red", f"no versions of {one_line(tree.named)} fit {', '.join(map(str, those))}: {reason_text(reason)}"


def _advice_lines(tree: TreeReadiness) -> Iterator[Line]:
    same: dict[tuple[tuple[tuple[str, str], ...], str], list[Advice]] = defaultdict(list)
    for advice in tree.advice:
        same[tuple(sorted(advice.pins.items())), advice.reason].append(advice)
    for (pins, reason), those in same.items():
        where = names_text([str(advice.cell) for advice in those])
        if reason:
            yield "yellow", f"{where}: no set of wheels alone: {reason_text(reason)}"
        else:
            words = " ".join(f"{name}=={version}" for name, version in pins)
            yield "cyan", f"{where}: wheels alone with {one_line(words)}"


def _closing(tree: TreeReadiness) -> Iterator[Line]:
    """One line a platform: how many packages are ready on all its Pythons."""
    missing = set(tree.missing)
    for platform in dict.fromkeys(cell.platform for cell in tree.cells):
        cells = {cell.name for cell in tree.cells if cell.platform == platform}
        here = [verdict for verdict in tree.verdicts if verdict.cell.name in cells]
        packages = {(verdict.name, verdict.version) for verdict in here}
        lacking = {(verdict.name, verdict.version) for verdict in here if verdict in missing}
        impossible = {(one.name, one.version) for one in here if one in missing and one.state == "impossible"}
        parts = [f"{one_line(tree.named)} on {platform}: {len(packages) - len(lacking)} of"]
        parts[0] += f" {count_text(len(packages), 'package')} ready"
        if lacking - impossible:
            parts.append(f"{len(lacking - impossible)} to build")
        if impossible:
            parts.append(f"{len(impossible)} impossible")
        yield "bold red" if lacking else "bold green", " · ".join(parts)
    if tree.left_out:
        yield "dim", f"{count_text(len(tree.left_out), 'more wheel')} missing on the compared architecture, too"
