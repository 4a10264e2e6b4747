"""One run on many machines, with a real scheduler and real workers on loopback; processes are killed meanwhile.

Every case ends with no build left running. The cases take turns: each starts some Pythons.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import crosswheel as cw
from clusters.processes import ABILITIES, ARCHS, Cluster, sleepers, wait_for
from crosswheel.model.job import Event, StepStarted

pytestmark = pytest.mark.slow


def build(
    cluster: Cluster, project: Path, *, waits: str = "0", archs: tuple[str, ...] = ARCHS[:1], **options: Any
) -> cw.Report:
    own: dict[str, Any] = {"python": "cp313", "engine": "cross", "test": "never", "offline": True}
    return cw.wheels(
        project,
        project=project,
        **{
            "scheduler": cluster.address,
            "arch": list(archs),
            "environment": {"WAITS": waits},
            "output": project / "wheelhouse",
            **own,
            **options,
        },
    )


def outcomes(report: cw.Report) -> list[str]:
    return [f"{outcome.job.target.arch} {outcome.status}" for outcome in report.outcomes]


def a_local_run_gives_the_same(cluster: Cluster, project: Path) -> None:
    """Bytes and report are those of one machine, and the second run asks no worker."""
    cluster.start_worker("one", jobs=2)
    there = build(cluster, project)
    here = build(cluster, project, scheduler="", fresh=True, output=project / "local")
    assert [wheel.sha256 for wheel in there.wheels] == [wheel.sha256 for wheel in here.wheels]
    assert _shape(there) == _shape(here)
    assert there.outcomes[0].worker == "one"
    cluster.kill("one")
    cluster.start_worker("two")
    again = build(cluster, project)
    assert [wheel.sha256 for wheel in again.wheels] == [wheel.sha256 for wheel in there.wheels]
    assert again.outcomes[0].worker == ""


_OTHERS = ("started", "ended", "seconds", "cpu_seconds", "log", "worker", "waits_for", "usage", "interpreter")


def _shape(report: cw.Report) -> Any:
    """The report without what differs from run to run: times, and the worker's paths."""
    jobs = json.loads(json.dumps(report.document()["jobs"], default=str))
    for job in jobs:
        job["steps"] = [step["step"] for step in job["steps"]]
        for name in _OTHERS:
            job.pop(name, None)
    return json.loads(json.dumps(jobs).replace(str(report.wheels[0].path.parent), "OUTPUT"))


def a_killed_worker_costs_its_job_nothing_but_time(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("one")
    seconds = "6.1171"

    def kill() -> None:
        wait_for(lambda: sleepers(seconds))
        cluster.worker_process("one").kill()
        took = wait_for(lambda: not sleepers(seconds), 10)
        assert took < 3, took

    report = meanwhile_doing(kill, lambda: build(cluster, project, waits=seconds))
    assert outcomes(report) == ["aarch64 pure"]


def a_job_that_kills_two_workers_is_given_up(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("one")
    seconds = "300.1172"

    def kill() -> None:
        for _ in range(2):
            wait_for(lambda: sleepers(seconds))
            cluster.worker_process("one").kill()
            wait_for(lambda: not sleepers(seconds), 10)

    report = meanwhile_doing(kill, lambda: build(cluster, project, waits=seconds))
    assert outcomes(report) == ["aarch64 failed"]
    failure = report.outcomes[0].failure
    assert failure
    assert "2 workers died" in failure.message
    wait_for(lambda: not sleepers(seconds), 10)


def cancelling_ends_builds_within_three_seconds(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("one")
    seconds = "300.1173"
    took: list[float] = []

    def interrupt() -> None:
        wait_for(lambda: sleepers(seconds))
        os.kill(os.getpid(), 2)
        took.append(wait_for(lambda: not sleepers(seconds), 20))

    with pytest.raises(KeyboardInterrupt):
        meanwhile_doing(interrupt, lambda: build(cluster, project, waits=seconds))
    assert took[0] < 3, took


def a_scheduler_may_go_and_come_back(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("one")
    seconds = "4.1174"

    def restart() -> None:
        wait_for(lambda: sleepers(seconds))
        cluster.kill("scheduler")
        wait_for(lambda: not sleepers(seconds), 20)
        cluster.start_scheduler()

    report = meanwhile_doing(restart, lambda: build(cluster, project, waits=seconds))
    assert outcomes(report) == ["aarch64 pure"]


def a_worker_with_another_version_gets_no_job(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("old", version="0.0.1")
    with pytest.raises(cw.CrosswheelError, match=r"no worker has crosswheel .*old: crosswheel 0\.0\.1"):
        build(cluster, project)
    cluster.start_worker("new")
    notes: list[str] = []
    report = build(cluster, project, listener=lambda event: notes.append(getattr(event, "text", "")))
    assert report.outcomes[0].worker == "new"
    assert any("the worker old is left out" in note for note in notes)


def a_job_that_no_worker_fits_is_refused_at_once(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("arm", abilities=[name for name in ABILITIES if "aarch64" in name])
    report = build(cluster, project, archs=ARCHS)
    assert outcomes(report) == ["aarch64 pure"]
    assert [entry.what.partition("-")[2] for entry in report.plan.left_out] == [
        "manylinux2014_armv7l",
        "manylinux_2_31_riscv64",
    ]
    assert "no worker of 1 can build" in report.plan.left_out[0].reason
    assert report.exit_code == 3


def two_clients_share_the_workers(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("one", jobs=2)
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(build, cluster, project, waits="2.1175", output=project / f"wheelhouse-{number}")
            for number in range(2)
        ]
        reports = [one.result() for one in both]
    assert [outcomes(report) for report in reports] == [["aarch64 pure"]] * 2
    assert len({report.wheels[0].sha256 for report in reports}) == 1


def a_failing_build_is_an_outcome(cluster: Cluster, project: Path) -> None:
    cluster.start_worker("one")
    heard: list[Event] = []
    report = build(cluster, project, waits="no-number", listener=heard.append)
    assert outcomes(report) == ["aarch64 failed"]
    outcome = report.outcomes[0]
    assert outcome.failure
    # As on one machine: a second attempt with a compiler would need Zig, which this worker does not have.
    assert outcome.failure.kind == "MissingTool"
    assert outcome.worker == "one"
    assert any(isinstance(event, StepStarted) and event.step == "build" for event in heard)


def the_jobs_of_three_architectures_run_on_two_workers(cluster: Cluster, project: Path) -> None:
    for name in ("one", "two"):
        cluster.start_worker(name)
    report = build(cluster, project, waits="3.1176", archs=ARCHS)
    assert outcomes(report) == [f"{arch} pure" for arch in ARCHS]
    assert {outcome.worker for outcome in report.outcomes} == {"one", "two"}


SCENARIOS = [
    a_killed_worker_costs_its_job_nothing_but_time,
    a_local_run_gives_the_same,
    a_job_that_kills_two_workers_is_given_up,
    cancelling_ends_builds_within_three_seconds,
    a_scheduler_may_go_and_come_back,
    a_worker_with_another_version_gets_no_job,
    a_job_that_no_worker_fits_is_refused_at_once,
    two_clients_share_the_workers,
    a_failing_build_is_an_outcome,
    the_jobs_of_three_architectures_run_on_two_workers,
]


@pytest.mark.daily(3)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_cluster(scenario: Callable[[Cluster, Path], None], own_cluster: Cluster, project: Path) -> None:
    scenario(own_cluster, project)


def meanwhile_doing(meanwhile: Callable[[], None], action: Callable[[], cw.Report]) -> cw.Report:
    """The result of an action, during which something else happens in a thread; both must succeed."""
    errors: list[BaseException] = []

    def safely() -> None:
        try:
            meanwhile()
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            errors.append(error)

    thread = threading.Thread(target=safely)
    thread.start()
    try:
        return action()
    finally:
        thread.join()
        for error in errors:
            raise error
