"""The timeline of a run as a Chrome trace, for Perfetto and chrome://tracing.

The format is the "Trace Event Format" of the Chromium project, in its JSON object form: times in microseconds, `X` for
what has a length, `s` and `f` for an arrow, `M` for names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crosswheel.reporting.timeline import Bar, Timeline, timeline_of

Event = dict[str, Any]


def trace_document(report: Mapping[str, Any]) -> dict[str, Any]:
    """The trace of the document of a report; without events if no job has times."""
    timeline = timeline_of(report)
    events = list(_events(timeline)) if timeline else []
    began = {"source": report["source"], "started": report["started"], "crosswheel": report["crosswheel"]}
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": began}


def _events(timeline: Timeline) -> Iterator[Event]:
    workers = {worker: number for number, worker in enumerate(dict.fromkeys(timeline.lanes), start=1)}
    for worker, number in workers.items():
        yield {"ph": "M", "name": "process_name", "pid": number, "args": {"name": worker or "crosswheel"}}
    for lane, worker in enumerate(timeline.lanes):
        here = {"pid": workers[worker], "tid": lane + 1}
        yield {"ph": "M", "name": "thread_name", **here, "args": {"name": f"lane {lane + 1}"}}
    places = {bar.target: {"pid": workers[bar.worker], "tid": bar.lane + 1} for bar in timeline.bars}
    ends = {bar.target: bar.ended for bar in timeline.bars}
    for number, bar in enumerate(timeline.bars, start=1):
        yield from _of_job(bar, places[bar.target])
        if bar.after:
            arrow = {"name": "let it begin", "cat": "wait", "id": number}
            yield {**arrow, "ph": "s", "ts": _microseconds(ends[bar.after]), **places[bar.after]}
            yield {**arrow, "ph": "f", "bp": "e", "ts": _microseconds(bar.started), **places[bar.target]}


def _of_job(bar: Bar, place: Mapping[str, int]) -> Iterator[Event]:
    told = {
        "status": bar.status,
        "waits_for": list(bar.waits_for),
        "cpu_seconds": bar.cpu_seconds,
        "critical": bar.critical,
    }
    yield {**_span(bar.target, "job", bar.started, bar.ended), **place, "args": told}
    for span in bar.steps:
        yield {**_span(span.step, "step", span.started, span.ended), **place, "args": {"target": bar.target}}


def _span(name: str, kind: str, started: float, ended: float) -> Event:
    return {"name": name, "cat": kind, "ph": "X", "ts": _microseconds(started), "dur": _microseconds(ended - started)}


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
