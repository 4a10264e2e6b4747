"""How long jobs are expected to take, how many go together, and who goes first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines import ENGINES
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Job, Plan
from crosswheel.model.targets import parse_target
from crosswheel.pipeline.schedule import (
    Past,
    at_a_time,
    duration,
    expected_memory,
    expected_plan,
    expected_seconds,
    longest_first,
    machines_of,
    processors,
    waves,
    workers,
)
from tiny_projects import tiny_facts, tiny_host

GIB = 1024**3


def job(python: str, arch: str = "aarch64", engine: str = "cross") -> Job:
    return Job(parse_target(f"{python}-manylinux2014_{arch}"), engine)


def past(python: str, seconds: float, *, when: float = 1.0, memory: int = 0, engine: str = "cross") -> Past:
    return Past(job(python).target, engine, when, seconds, memory)


def test_the_last_such_job_tells_how_long_it_takes() -> None:
    history = [past("cp312", 40, when=2), past("cp312", 10, when=1), past("cp313", 99, when=3)]
    assert expected_seconds(job("cp312"), history) == 40


def test_another_python_takes_what_the_others_take_on_average() -> None:
    assert expected_seconds(job("cp314"), [past("cp312", 10), past("cp313", 20)]) == 15


@pytest.mark.parametrize("other", [job("cp312", engine="emulated"), job("cp312", arch="riscv64")])
def test_of_another_engine_or_architecture_nobody_knows(other: Job) -> None:
    assert expected_seconds(other, [past("cp312", 10)]) is None


def test_memory_is_the_most_that_any_such_job_took_and_what_is_unknown_is_not_nothing() -> None:
    history = [past("cp312", 1, memory=3 * GIB), past("cp313", 1, memory=GIB)]
    assert expected_memory(job("cp313"), history) == 3 * GIB
    assert expected_memory(job("cp313"), [past("cp312", 1)]) == expected_memory(job("cp313"), []) > 0


@pytest.mark.parametrize(
    ("needs", "processors", "memory", "together"),
    [
        ([GIB] * 8, 4, 64 * GIB, 4),  # processors are the limit
        ([3 * GIB] * 8, 4, 10 * GIB, 3),  # memory is
        ([6 * GIB, GIB, GIB, GIB], 4, 8 * GIB, 3),  # whichever of them meet: the largest is among them
        ([64 * GIB] * 2, 4, 8 * GIB, 1),  # one at least: it may do with less than was feared
        ([GIB], 4, 64 * GIB, 1),
    ],
)
def test_as_many_jobs_go_together_as_processors_and_memory_allow(
    needs: list[int], processors: int, memory: int, together: int
) -> None:
    assert at_a_time(needs, processors, memory) == together


def test_the_longest_job_goes_first_and_before_it_what_nobody_knows() -> None:
    jobs = [job("cp311"), job("cp312"), job("cp313")]
    seconds = {jobs[0].target: 10.0, jobs[1].target: 30.0, jobs[2].target: None}
    assert longest_first(jobs, seconds) == [jobs[2], jobs[1], jobs[0]]


@pytest.mark.parametrize(
    ("seconds", "workers", "whole"), [([30, 20, 10], 2, 30), ([30, 20, 10], 1, 60), ([5], 4, 5), ([], 2, 0)]
)
def test_the_whole_takes_as_long_as_the_last_to_end(seconds: list[float], workers: int, whole: float) -> None:
    assert duration(seconds, workers) == whole


def test_a_plan_says_how_long_it_may_take_only_where_every_job_is_known(tmp_path: Path) -> None:
    given = load_config(tmp_path, {"jobs": 2}), tiny_facts(tiny_host(tmp_path))
    known = Plan("tiny", (job("cp312"), job("cp313")))
    history = [past("cp312", 30), past("cp313", 20)]
    assert expected_plan(known, history, *given).seconds == 30
    assert [each.seconds for each in expected_plan(known, history, *given).jobs] == [30, 20]
    assert expected_plan(Plan("tiny", (*known.jobs, job("cp313", arch="s390x"))), history, *given).seconds is None


def test_where_two_machines_share_the_work_the_smaller_one_sets_the_pace(tmp_path: Path) -> None:
    """An Arm server's engine, and cross builds on a laptop."""
    host = replace(tiny_host(tmp_path), cpus=2)
    server = DockerHost(None, "ssh://arm", "29.0", "aarch64", cpus=64, memory=512 * GIB)  # type: ignore[arg-type]
    facts = tiny_facts(host, server)
    there, here = ([job(python, engine=engine) for python in ("cp312", "cp313")] for engine in ("native", "cross"))
    native, cross, both = (machines_of(jobs, facts, ENGINES) for jobs in (there, here, [*there, *here]))
    assert (processors(native), processors(cross), processors(both)) == (64, 2, 2)
    assert workers([*there, *here] * 40, [], both) <= 2
    assert workers(there * 40, [], native) == 64


@pytest.mark.parametrize(
    ("pythons", "stable_abi", "expected"),
    [
        ("cp311 cp312 cp313t", None, [[], [], ["cp311", "cp312", "cp313t"]]),
        ("cp311 cp312 cp313t", {9}, [[], ["cp311"], ["cp312", "cp313t"]]),
        ("cp311 cp312 cp313", {12}, [[], ["cp311", "cp312"], ["cp313"]]),
        ("cp315 cp315t", {15}, [["cp315t"], ["cp315"], []]),
        ("cp314 cp314t cp315 cp315t", {15}, [["cp315t"], ["cp314", "cp315"], ["cp314t"]]),
        ("cp311 cp315 cp315t", {11}, [[], ["cp311"], ["cp315", "cp315t"]]),
        ("cp315t", {15}, [[], [], ["cp315t"]]),
    ],
)
def test_who_may_serve_others_goes_first(pythons: str, stable_abi: set[int] | None, expected: list[list[str]]) -> None:
    """A wheel of cp315t that is tagged abi3.abi3t serves cp315, so that none is built for that alone."""
    planned = waves([job(python) for python in pythons.split()], stable_abi)
    assert [[str(one.target.python) for one in wave] for wave in planned] == expected
