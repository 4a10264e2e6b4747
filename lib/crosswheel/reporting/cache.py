"""The contents of caches, and what was removed, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.errors import EngineUnavailable
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.run import shown
from crosswheel.reporting.tables import Column, drawn, fitting
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import COMMAND, Line, count_text, size_text
from crosswheel.upkeep.caches import Holding

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MANY = ("journal", "downloads", "bytecode", "answers", "remains")  # too many to list one by one


@dataclass(frozen=True)
class CachePlace:
    """One storage place: what it holds and what was removed; `trouble` is the error if it cannot be read."""

    name: str
    where: str
    holdings: tuple[Holding, ...] = ()
    gone: tuple[Holding, ...] = ()
    trouble: EngineUnavailable | None = None


@dataclass(frozen=True)
class _Row:
    """The holdings of one kind; those of journals are split by project."""

    place: str
    kind: str
    what: str
    state: str
    size: int
    used: float


def cache_text(
    places: Sequence[CachePlace], limit: int, console: Console | None = None, *, dry_run: bool = False
) -> str:
    """The table by place and kind, then the total of each place; plain text without a console."""
    console = console or plain_console()
    rows = [row for place in places for row in _rows(place, "would go" if dry_run else "removed")]
    columns: list[Column[_Row]] = [
        Column("where", lambda row: row.place, lambda _row: "bold", spare=2),
        Column("kind", lambda row: row.kind, lambda _row: "cyan"),
        Column("what", lambda row: row.what),
        Column("size", lambda row: size_text(row.size), number=True),
        Column("last use", lambda row: _moment(row.used), spare=1),
        Column("", lambda row: row.state, lambda _row: "yellow"),
    ]
    parts: list[RenderableType] = [drawn(fitting(console, columns, rows), rows), ""] if rows else []
    closing = (line for place in places for line in _closing(place, limit, dry_run=dry_run))
    return shown(console, [*parts, *styled(closing)])


def removed_text(gone: Collection[Holding], limit: int) -> str:
    """The message of a run that trimmed the caches; `limit` in bytes."""
    count = count_text(len(gone), "thing")
    return (
        f"removed the {count} used least recently, {size_text(_sum(gone))}: "
        f"the limit of caches is {size_text(limit)} (cache-size); `crosswheel cache` lists them"
    )


def cache_document(places: Sequence[CachePlace], limit: int, *, dry_run: bool = False) -> Document:
    return {
        "schema": SCHEMA,
        "kind": "cache",
        "crosswheel": __version__,
        "limit": limit,
        "dry_run": dry_run,
        "places": [_place(place) for place in places],
    }


def _place(place: CachePlace) -> Document:
    return {
        "name": place.name,
        "where": place.where,
        "answers": place.trouble is None,
        "reason": place.trouble.message if place.trouble else "",
        "size": _sum(place.holdings),
        "holdings": [_holding(holding) for holding in place.holdings],
        "gone": [_holding(holding) for holding in place.gone],
    }


def _holding(holding: Holding) -> Document:
    used = datetime.fromtimestamp(holding.used, timezone.utc) if holding.is_known else None
    return {
        "kind": holding.kind,
        "what": holding.what,
        "place": str(holding.place),
        "size": holding.size,
        "used": used.isoformat(timespec="seconds") if used else None,
        "stale": holding.stale,
        "busy": holding.busy,
    }


def _rows(place: CachePlace, word: str) -> Iterator[_Row]:
    """What stays first, then what goes, each by size."""
    for holdings, state in ((place.holdings, ""), (place.gone, word)):
        groups: dict[tuple[str, str, str], list[Holding]] = {}
        for holding in holdings:
            groups.setdefault((holding.kind, _group(holding), state or _state(holding)), []).append(holding)
        rows = [
            _Row(place.name, kind, _what(kind, group, found), mark, _sum(found), _latest(found))
            for (kind, group, mark), found in groups.items()
        ]
        yield from sorted(rows, key=lambda row: -row.size)


def _group(holding: Holding) -> str:
    return holding.what if holding.kind not in _MANY or holding.kind == "journal" else ""


def _what(kind: str, group: str, found: Collection[Holding]) -> str:
    if kind not in _MANY:
        return one_line(group)
    nouns = {"journal": "wheel", "downloads": "file", "bytecode": "archive", "answers": "answer", "remains": "thing"}
    text = count_text(len(found), nouns[kind])
    return f"{one_line(group)}: {text}" if group else text


def _state(holding: Holding) -> str:
    return "in use" if holding.busy else "of another version" if holding.stale else ""


def _closing(place: CachePlace, limit: int, *, dry_run: bool) -> Iterator[Line]:
    if place.trouble:
        yield "yellow", f"{place.name}: cannot be read: {one_line(place.trouble.message)}"
        yield COMMAND, f"    try: {one_line(place.trouble.hint)}"
        return
    freed = _sum(place.gone)
    size = _sum(place.holdings) + (freed if dry_run else 0)
    style = "bold yellow" if size > limit else "bold"
    yield style, f"{place.name}: {size_text(size)} of {size_text(limit)} in {one_line(place.where)}"
    if place.gone:
        yield "", f"    {size_text(freed)} {'would go' if dry_run else 'removed'}"
    elif size > limit and not any(holding.busy for holding in place.holdings):
        yield COMMAND, "    try: crosswheel cache --trim"


def _sum(holdings: Iterable[Holding]) -> int:
    return sum(holding.size for holding in holdings)


def _latest(found: Iterable[Holding]) -> float:
    return max((holding.used for holding in found if holding.is_known), default=math.nan)


def _moment(used: float) -> str:
    return "" if math.isnan(used) else f"{datetime.fromtimestamp(used).astimezone():%Y-%m-%d %H:%M}"
