"""A run on workers, with a pool of this process whose worker is a run with the tiny engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.errors import ClusterUnavailable
from crosswheel.fleet.order import Delivery, Made
from crosswheel.fleet.plan import Worker, plan_on
from crosswheel.fleet.probe import MEMORY, resource, version_resource
from crosswheel.fleet.run import FleetRun
from crosswheel.fleet.wire import plain
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Event, StepStarted
from crosswheel.model.targets import parse_target
from tiny_projects import TARGETS, Yard, statuses

ABLE = {resource(engine, target): 2.0 for engine in ("auto", "cross") for target in TARGETS}
WORKER = Worker("one", "tcp://1", {**ABLE, MEMORY: 2.0**33, version_resource(): 1e6})

Change = Callable[[dict[str, Any], dict[str, bytes]], Any]


@dataclass
class FakePool:
    """Its worker builds at once, in another folder; `change` spoils what it sends."""

    yard: Yard
    project: str
    change: Change = lambda _data, _files: None
    orders: list[Mapping[str, Any]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    heard: list[Callable[[str, Mapping[str, Any]], None]] = field(default_factory=list)
    error: BaseException | None = None

    def workers(self) -> Sequence[Worker]:
        return (WORKER,)

    def share(self, _name: str, content: bytes) -> bytes:
        return content

    def listen(self, _topic: str, hear: Callable[[str, Mapping[str, Any]], None]) -> None:
        self.heard.append(hear)

    def submit(self, _fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        order, source = args
        self.orders.append(order)
        self.sent.append(len(source))
        result: Future[Any] = Future()
        if order["public"]:
            result.set_result((plain(Delivery(worker="one", lacks_source=True)), {}))
            return result
        if self.error:
            result.set_exception(self.error)
            return result
        for hear in self.heard:
            told = {"target": order["targets"][0], "engine": "cross", "step": "build"}
            hear(options["key"], {"events": [told, {"note": "a note"}, {"chore": "a chore"}]})
        run = self.yard.run(self.project, pythons=3)
        wanted = [parse_target(text) for text in order["targets"]]
        run.plan = replace(run.plan, jobs=tuple(job for job in run.plan.jobs if job.target in wanted))
        outcomes = run.execute()
        output = self.yard.folder / "wheelhouse"
        made = tuple(Made(outcome.job.target, 1.5) for outcome in outcomes if outcome.status in {"built", "pure"})
        data = plain(Delivery(outcomes, made, folder=str(output), worker="one"))
        files = {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}
        self.change(data, files)
        result.set_result((data, files))
        return result


@dataclass
class Fleet:
    """The client's side."""

    folder: Path
    yard: Yard
    events: list[Event] = field(default_factory=list)

    def run(self, project: str, pythons: int = 1, **changes: Any) -> tuple[FleetRun, FakePool]:
        options = changes.pop("options", {})
        there = Yard(self.folder / "there", self.yard.engine)
        pool = FakePool(there, project, **changes)
        local = self.yard.run(project, react=self.events.append, **options)
        names = [str(target.python) for target in TARGETS[:pythons]]
        config = replace(local.config, build=replace(local.config.build, engine="cross"))
        wanted = load_config(self.folder, {"python": names, "engine": "cross"})
        plan = plan_on(pool.workers(), wanted, "", project)
        return FleetRun(plan, local.sdist, config, local.services, local.journal, pool), pool


@pytest.fixture
def fleet(tmp_path: Path, yard: Yard) -> Fleet:
    (tmp_path / "there").mkdir()
    return Fleet(tmp_path, yard)


def test_wheels_arrive_as_a_local_run_makes_them(fleet: Fleet) -> None:
    run, pool = fleet.run("platform", 2)
    outcomes = run.execute()
    assert statuses(outcomes) == ["built", "built"]
    assert [outcome.worker for outcome in outcomes] == ["one", "one"]
    assert len(pool.orders) == 2
    wheels = [outcome.wheel for outcome in outcomes if outcome.wheel]
    for wheel in wheels:
        assert wheel.path.parent == fleet.folder / "wheelhouse"
        assert wheel.path.read_bytes() == (fleet.folder / "there" / "wheelhouse" / wheel.path.name).read_bytes()
    assert outcomes[0].log
    assert "compiling fast" in outcomes[0].log.read_text()
    assert any(isinstance(event, StepStarted) and event.step == "build" for event in fleet.events)


def test_a_second_run_asks_no_worker(fleet: Fleet) -> None:
    fleet.run("platform", 2)[0].execute()
    run, pool = fleet.run("platform", 2)
    assert statuses(run.execute()) == ["kept", "kept"]
    assert not pool.orders


def test_a_public_source_travels_by_name_where_the_workers_index_has_it(fleet: Fleet) -> None:
    run, pool = fleet.run("platform")
    run.config = replace(run.config, build=replace(run.config.build, source="tiny==1.0"))
    assert statuses(run.execute()) == ["built"]
    assert [order["public"] for order in pool.orders] == ["tiny==1.0", ""]
    assert pool.sent == [0, run.sdist.path.stat().st_size]


def test_fresh_asks_again(fleet: Fleet) -> None:
    fleet.run("platform")[0].execute()
    run, pool = fleet.run("platform", options={"fresh": True})
    run.execute()
    assert len(pool.orders) == 1


def test_jobs_whose_wheels_serve_each_other_are_one_order(fleet: Fleet) -> None:
    run, pool = fleet.run("pure", 3)
    assert statuses(run.execute()) == ["pure", "pure", "pure"]
    assert len(pool.orders) == 1
    run, pool = fleet.run("pure", 3)
    assert statuses(run.execute()) == ["pure", "pure", "pure"]
    assert not pool.orders


def test_a_failed_build_is_an_outcome_with_its_log_here(fleet: Fleet) -> None:
    (outcome,) = fleet.run("raises")[0].execute()
    assert outcome.failure
    assert outcome.failure.kind == "BuildFailed"
    assert outcome.log == fleet.folder / "wheelhouse" / "logs" / outcome.log.name if outcome.log else False
    assert str(fleet.folder / "there") not in outcome.failure.hint


def spoil(_data: dict[str, Any], files: dict[str, bytes]) -> None:
    for name in files:
        files[name] = files[name][:-1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (spoil, "did not arrive as one sent it"),
        (lambda _data, files: files.clear(), "did not arrive as one sent it"),
        (lambda data, _files: data.update(outcomes=[]), "ended without this wheel"),
        (lambda data, _files: data.update(outcomes="nonsense"), "the order failed"),
    ],
)
def test_what_is_not_what_was_sent_fails_its_job(fleet: Fleet, change: Change, said: str) -> None:
    (outcome,) = fleet.run("platform", change=change)[0].execute()
    assert outcome.failure
    assert said in outcome.failure.message
    assert not list((fleet.folder / "wheelhouse").glob("*.whl"))


def test_a_lost_cluster_fails_the_jobs_in_words(fleet: Fleet) -> None:
    (outcome,) = fleet.run("platform", error=ClusterUnavailable("gone", hint="again"))[0].execute()
    assert outcome.failure
    assert (outcome.failure.kind, outcome.failure.message) == ("ClusterUnavailable", "gone")


def test_what_no_worker_can_is_left_out_with_the_reason(fleet: Fleet) -> None:
    config = load_config(fleet.folder, {"arch": ["aarch64", "s390x"], "python": ["cp312"], "engine": "cross"})
    plan = plan_on([WORKER], config, "", "tiny")
    assert [str(job.target) for job in plan.jobs] == ["cp312-manylinux2014_aarch64"]
    assert "no worker of 1 can build s390x" in plan.left_out[0].reason
    assert "has no worker" in plan_on([], config, "", "tiny").left_out[0].reason
    old = Worker("old", "tcp://2", {"crosswheel 0.0.1": 1.0})
    assert "old: crosswheel 0.0.1" in plan_on([old], config, "", "tiny").left_out[0].reason


def test_a_wheel_of_the_stable_abi_serves_later_pythons_there_and_in_the_next_run(fleet: Fleet) -> None:
    run, pool = fleet.run("stable_abi", 3)
    assert statuses(run.execute()) == ["built", "reused", "reused"]
    assert len(pool.orders) == 1
    run, pool = fleet.run("stable_abi", 3)
    assert statuses(run.execute()) == ["kept", "reused", "reused"]
    assert not pool.orders
