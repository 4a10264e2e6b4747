"""The drawing of a timeline: numbers of an SVG whose widths are percents, so that it fits a phone and a screen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crosswheel.reporting.timeline import Bar, Timeline
from crosswheel.reporting.wording import seconds_text

_ROW, _BAR, _HEADING, _AXIS, _CHART = 34, 14, 24, 22, 44
# With more jobs than this the jobs of a lane share its row, without their names.
_MOST_NAMED = 60
_PARTS = 100
_TICKS = 6
# Percents: a name begins where its bar begins left of the first, and ends with the bar right of the second; between
# them it is centred. So none leaves the picture of the least width.
_LEFT, _RIGHT = 42.0, 60.0


@dataclass(frozen=True)
class Box:
    """A rectangle: `x` and `width` in percent, `y` and `height` in pixels."""

    kind: str
    x: float
    width: float
    y: float
    height: float
    text: str = ""


@dataclass(frozen=True)
class Label:
    text: str
    x: float
    y: float
    kind: str = ""
    anchor: str = "start"


@dataclass(frozen=True)
class Line:
    x: float
    y1: float
    y2: float
    text: str = ""


@dataclass(frozen=True)
class Drawing:
    """All parts of the picture; `description` says in words what it shows."""

    height: float
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    waits: tuple[Line, ...]
    ticks: tuple[Line, ...]
    load: tuple[Box, ...]
    load_top: float
    most: int
    description: str


def drawn_timeline(timeline: Timeline) -> Drawing:
    """The picture of a timeline."""
    rows, headings, bottom = _rows(timeline)
    named = len(timeline.bars) <= _MOST_NAMED
    boxes, labels, waits = [], list(headings), []
    for bar in timeline.bars:
        top = rows[bar.target] + (_ROW - _BAR - 4 if named else 3)
        boxes += _boxes(bar, top, timeline.seconds, named=named)
        if named:
            labels.append(_name(bar, top - 4, timeline.seconds))
        if bar.after:
            begin = rows[bar.after] + (_ROW - 4 if named else _BAR + 3)
            x = _percent(bar.started, timeline.seconds)
            if bar.after in bar.waits_for:
                waits.append(Line(x, min(begin, top), max(begin - _BAR, top), f"{bar.target} waited for {bar.after}"))
    load_top = bottom + _AXIS
    load = timeline.concurrency(_PARTS)
    most = timeline.most
    heights = [min(1.0, value / most) * (_CHART - 4) for value in load]
    return Drawing(
        height=load_top + _CHART,
        boxes=tuple(boxes),
        labels=tuple(labels),
        waits=tuple(waits),
        ticks=tuple(_ticks(timeline.seconds, bottom)),
        load=tuple(
            Box("load", at * 100 / _PARTS, 100 / _PARTS, round(load_top + _CHART - height, 1), round(height, 1))
            for at, height in enumerate(heights)
            if height
        ),
        load_top=load_top,
        most=most,
        description=_description(timeline),
    )


def _rows(timeline: Timeline) -> tuple[dict[str, float], list[Label], float]:
    """The top of each job's row, the headings of the lanes, and the bottom of all."""
    rows, headings, y = dict[str, float](), list[Label](), 0.0
    named, lane, several = len(timeline.bars) <= _MOST_NAMED, -1, len(timeline.lanes) > 1
    for bar in timeline.bars:
        if bar.lane != lane:
            y += 0 if named or lane < 0 else _BAR + 8
            lane = bar.lane
            if named and several:
                headings.append(Label(_lane(timeline, lane), 0, y + _HEADING - 8, "lane"))
                y += _HEADING
        rows[bar.target] = y
        y += _ROW if named else 0
    return rows, headings, y + (0 if named else _BAR + 8)


def _lane(timeline: Timeline, lane: int) -> str:
    worker = timeline.lanes[lane]
    number = timeline.lanes[: lane + 1].count(worker)
    return f"{worker}, lane {number}" if worker else f"lane {number}"


def _percent(seconds: float, whole: float) -> float:
    return round(100 * seconds / whole, 3) if whole else 0.0


def _boxes(bar: Bar, top: float, whole: float, *, named: bool) -> list[Box]:
    path = " critical" if bar.critical else ""
    around = f"{bar.target}: {bar.status}, {seconds_text(bar.started)} to {seconds_text(bar.ended)}"
    boxes = [Box(f"job {bar.status}{path}", _percent(bar.started, whole), _wide(bar.seconds, whole), top, _BAR, around)]
    for span in bar.steps:
        took = span.ended - span.started
        text = f"{bar.target}: {span.step}, {seconds_text(took)}" if named else ""
        x, width = _percent(span.started, whole), _wide(took, whole)
        boxes.append(Box(f"step {_kind(span.step)}", x, width, top, _BAR, text))
    return boxes


def _wide(seconds: float, whole: float) -> float:
    """Percent, and never so little that nothing is seen."""
    return max(_percent(seconds, whole), 0.15)


def _kind(step: str) -> str:
    return step if step in {"build", "repair", "audit", "test"} else "other"


def _name(bar: Bar, y: float, whole: float) -> Label:
    mark = "◆ " if bar.critical else ""
    failed = " ✘ failed" if bar.status == "failed" else ""
    text = f"{mark}{bar.target}{failed} · {seconds_text(bar.seconds)}"
    begin, end = _percent(bar.started, whole), _percent(bar.ended, whole)
    kind = "critical" if bar.critical else ""
    if begin < _LEFT:
        return Label(text, begin, y, kind)
    return Label(text, end, y, kind, "end") if end > _RIGHT else Label(text, (begin + end) / 2, y, kind, "middle")


def _ticks(seconds: float, bottom: float) -> list[Line]:
    step = _round_step(seconds / _TICKS)
    count = int(seconds / step) if step else 0
    return [Line(_percent(at * step, seconds), bottom, bottom + 5, _clock(at * step)) for at in range(count + 1)]


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10, 15, 30 seconds, minutes or hours, or a power of ten of the first three."""
    for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000):
        if rough <= step / (10 if rough <= 0.1 else 1):  # noqa: PLR2004 - runs of a second
            return step / (10 if rough <= 0.1 else 1)  # noqa: PLR2004
    return 36000 * math.ceil(rough / 36000)


def _clock(seconds: float) -> str:
    """``0.5 s``, ``40 s``, ``2:30``, ``1:15:00``."""
    if seconds < 60:  # noqa: PLR2004 - that is what a minute is
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _description(timeline: Timeline) -> str:
    jobs = f"{len(timeline.bars)} job{'' if len(timeline.bars) == 1 else 's'}"
    path = ", then ".join(f"{bar.target} for {seconds_text(bar.seconds)}" for bar in timeline.critical[:20])
    together = f"{timeline.at_once:.1f} at a time on average, {timeline.most} at most"
    return (
        f"{jobs} in {seconds_text(timeline.seconds)}, {together}. Critical path: {path}. The table below has all times."
    )
