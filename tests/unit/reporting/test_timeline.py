from __future__ import annotations

import pytest

import page_samples as samples
from crosswheel.reporting.lanes import lane_lines
from crosswheel.reporting.page.drawing import drawn_timeline
from crosswheel.reporting.timeline import Timeline, timeline_of
from crosswheel.reporting.trace import trace_document
from crosswheel.reporting.verdict import release_verdict, run_verdict, tree_verdict

OLDEST = "cp310-manylinux2014_aarch64"


@pytest.fixture
def timeline() -> Timeline:
    made = timeline_of(samples.full_report())
    assert made
    return made


def test_jobs_of_a_worker_share_its_lanes(timeline: Timeline) -> None:
    assert [(bar.target.partition("_")[0], bar.lane) for bar in timeline.bars] == [
        ("cp310-manylinux2014", 0),
        ("cp312-manylinux2014", 0),
        ("cp311-manylinux2014", 1),
        ("cp313-manylinux2014", 1),
        ("cp310-musllinux", 2),
    ]
    assert timeline.lanes == ("", "", "arm1")


def test_the_critical_path_ends_with_the_run(timeline: Timeline) -> None:
    assert [bar.target.partition("-")[0] for bar in timeline.critical] == ["cp310", "cp312"]
    after = {bar.target: bar.after for bar in timeline.bars}
    assert after["cp312-manylinux2014_aarch64"] == OLDEST
    assert after["cp313-manylinux2014_aarch64"] == "cp311-manylinux2014_aarch64"
    assert after[OLDEST] == after["cp310-musllinux_1_2_aarch64"] == ""


def test_how_many_jobs_were_at_work(timeline: Timeline) -> None:
    assert timeline.most == 3
    assert timeline.begins == 1.0
    busy = sum(bar.seconds for bar in timeline.bars) / (timeline.seconds - 1.0 - 0.5)
    assert timeline.at_once == pytest.approx(busy, abs=0.05)
    parts = timeline.concurrency(50)
    assert sum(parts) * timeline.seconds / 50 == pytest.approx(sum(bar.seconds for bar in timeline.bars))
    assert max(parts) <= 3


def test_processor_time_is_known_as_a_whole_or_not_at_all(timeline: Timeline) -> None:
    assert timeline.cpu_seconds == pytest.approx(sum(bar.cpu_seconds or 0 for bar in timeline.bars))
    document = samples.full_report()
    document["jobs"][0]["cpu_seconds"] = None
    without = timeline_of(document)
    assert without
    assert without.cpu_seconds is None


def test_clocks_that_differ_make_no_circle() -> None:
    """Two workers, each of which waits for the other by its own clock."""
    document = samples.report(
        samples.outcome("cp312-manylinux2014_aarch64", 5.0, worker="a"),
        samples.outcome("cp313-manylinux2014_aarch64", 4.0, worker="b"),
    )
    first, second = document["jobs"]
    first["waits_for"], second["waits_for"] = [second["target"]], [first["target"]]
    first["started"] = -3.0
    made = timeline_of(document)
    assert made
    assert len(made.critical) <= 2
    assert all(bar.started >= 0 for bar in made.bars)


def test_without_times_there_is_no_timeline() -> None:
    document = samples.full_report()
    for job in document["jobs"]:
        job["started"] = None
    assert timeline_of(document) is None
    assert trace_document(document)["traceEvents"] == []


def test_everything_drawn_is_within_the_picture(timeline: Timeline) -> None:
    large = timeline_of(samples.many_jobs(200))
    assert large
    for drawing in (drawn_timeline(timeline), drawn_timeline(large)):
        for box in (*drawing.boxes, *drawing.load):
            assert 0 <= box.x <= 100
            assert box.x + box.width <= 100.2
            assert 0 <= box.y <= box.y + box.height <= drawing.height
    assert "Critical path: cp310-manylinux2014_aarch64 for 13.1 s, then cp312" in drawn_timeline(timeline).description
    assert [line.text for line in drawn_timeline(timeline).waits] == [
        f"cp312-manylinux2014_aarch64 waited for {OLDEST}"
    ]


def test_a_row_of_letters_a_lane(timeline: Timeline) -> None:
    lines = [text for _, text in lane_lines(timeline, 70)]
    assert lines[0] == "timeline, 27.8 s, 2.0 jobs at a time"
    assert [line[:3] for line in lines[1:4]] == ["  1", "  2", "  3"]
    assert "█" in lines[1]
    assert max(map(len, lines[1:4])) <= 70
    assert lines[-1] == f"critical path: {OLDEST} 13.1 s, cp312-manylinux2014_aarch64 13.1 s"


def test_one_job_and_jobs_without_work_have_no_rows() -> None:
    one = timeline_of(samples.report(samples.outcome(OLDEST, 0.0)))
    idle = timeline_of(
        samples.report(*(samples.outcome(f"cp31{at}-manylinux2014_aarch64", 0.0, build=0, test=0) for at in (0, 1)))
    )
    assert one
    assert idle
    assert [*lane_lines(one, 70), *lane_lines(idle, 70)] == []


def test_a_trace_has_the_same_times() -> None:
    document = samples.full_report()
    events = trace_document(document)["traceEvents"]
    jobs = {event["name"]: event for event in events if event.get("cat") == "job"}
    assert {name: (job["ts"], job["ts"] + job["dur"]) for name, job in jobs.items()} == {
        job["target"]: (round(job["started"] * 1e6), round(job["ended"] * 1e6)) for job in document["jobs"]
    }
    assert [event["args"]["name"] for event in events if event["name"] == "process_name"] == ["crosswheel", "arm1"]
    starts, ends = ([event for event in events if event["ph"] == kind] for kind in "sf")
    assert [start["id"] for start in starts] == [end["id"] for end in ends]
    assert all(start["ts"] <= end["ts"] for start, end in zip(starts, ends, strict=True))


def test_verdicts_are_sentences() -> None:
    good = samples.report(*(samples.outcome(f"cp31{at}-manylinux2014_aarch64", at) for at in range(3)))
    good["left_out"] = []
    assert run_verdict(good).text == "All 3 targets have a wheel; each was tested on its architecture."
    assert run_verdict(good).mood == "good"
    one = samples.report(samples.outcome(OLDEST, 0.0, test=0.0))
    one["left_out"] = []
    assert run_verdict(one).text == "The target has a wheel; it was not tested on its architecture."
    assert run_verdict(one).mood == "mixed"
    (tree,) = samples.readiness()["trees"]
    ready = {**tree, "packages": [each for each in tree["packages"] if each["name"] in {"numpy", "six"}]}
    assert tree_verdict(ready).text == "requirements.txt: all 2 packages have wheels on every platform."
    unsolved = {**tree, "unsolved": [{"python": "cp313", "reason": "x"}]}
    assert tree_verdict(unsolved).text == "No versions of requirements.txt fit cp313."
    assert release_verdict(samples.release(ok=False)).text == "demo 1.0: testpypi does not serve what was built."
