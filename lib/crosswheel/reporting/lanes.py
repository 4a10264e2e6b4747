"""A timeline as a few lines of text: a row for each lane, a letter for each moment."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.reporting.timeline import Bar, Timeline
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import Line, names_text, seconds_text

_MOST_LANES = 12
_WIDEST = 100
_MARGIN = 6
_LETTERS = {"build": "█", "test": "▓"}
_OTHER_STEP, _BETWEEN, _IDLE = "▒", "░", " "
_LEGEND = "█ build  ▓ test  ▒ other steps  ░ between steps"


def lane_lines(timeline: Timeline, width: int) -> Iterator[Line]:
    """The lanes of a timeline within `width` letters, and its critical path; nothing if no job built or tested."""
    if len(timeline.bars) < 2 or not any(span.step in _LETTERS for bar in timeline.bars for span in bar.steps):  # noqa: PLR2004
        return
    columns = max(10, min(_WIDEST, width - _MARGIN))
    yield "bold", f"timeline, {seconds_text(timeline.seconds)}, {timeline.at_once:.1f} jobs at a time"
    for lane in range(min(_MOST_LANES, len(timeline.lanes))):
        bars = [bar for bar in timeline.bars if bar.lane == lane]
        yield "cyan", f"{lane + 1:>3}  {_row(bars, timeline.seconds, columns)}".rstrip()
    if len(timeline.lanes) > _MOST_LANES:
        yield "dim", f"     and {len(timeline.lanes) - _MOST_LANES} lanes more"
    yield "dim", f"     {_LEGEND}"
    path = [f"{one_line(bar.target)} {seconds_text(bar.seconds)}" for bar in timeline.critical]
    yield "", f"critical path: {names_text(path)}"


def _row(bars: list[Bar], seconds: float, columns: int) -> str:
    return "".join(_letter(bars, (at + 0.5) * seconds / columns) for at in range(columns))


def _letter(bars: list[Bar], moment: float) -> str:
    """What the lane did at a moment, in seconds after the beginning of the run."""
    for bar in bars:
        if bar.started <= moment < bar.ended:
            now = (span.step for span in bar.steps if span.started <= moment < span.ended)
            step = next(now, "")
            return _LETTERS.get(step, _OTHER_STEP) if step else _BETWEEN
    return _IDLE
