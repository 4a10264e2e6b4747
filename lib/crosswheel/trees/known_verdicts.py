"""Verdicts that an earlier run reached on the same lock for the same cells: reading a large lock takes seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields

import packaging

from crosswheel import __version__
from crosswheel.system.memo import Answers
from crosswheel.trees.cells import Cell
from crosswheel.trees.verdicts import Verdict

_FIELDS = tuple(field.name for field in fields(Verdict) if field.name != "cell")


def known_verdicts(
    text: str, cells: Sequence[Cell], answers: Answers, judge: Callable[[], Sequence[Verdict]]
) -> tuple[Verdict, ...]:
    """The verdicts on the lock with this text: those that are kept, or else what `judge` says, which is kept."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    question = ("verdicts", digest, __version__, packaging.__version__, *map(str, cells))
    if rows := answers.recall(*question):
        return tuple(Verdict(cell=cells[at], **dict(zip(_FIELDS, row, strict=True))) for at, *row in rows)
    verdicts = tuple(judge())
    places = {cell: at for at, cell in enumerate(cells)}
    answers.keep([[places[one.cell], *(getattr(one, name) for name in _FIELDS)] for one in verdicts], *question)
    return verdicts
