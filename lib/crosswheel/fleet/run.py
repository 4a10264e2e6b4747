"""Runs a plan on an executor of workers: sends orders, and takes each delivery into journal and output folder at once.

What arrives goes through this machine's own steps: the bytes are compared with their sha256, audited, kept in the
journal and saved, as if they had been built here.
"""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crosswheel.engines import ENGINES
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.errors import CannotRun, CrosswheelError, SourceError, UsageError
from crosswheel.fleet.order import Delivery, Made, Order
from crosswheel.fleet.plan import Worker, groups, order_of, seconds_of
from crosswheel.fleet.pool import Pool
from crosswheel.fleet.probe import MEMORY
from crosswheel.fleet.supervisor import run_order
from crosswheel.fleet.wire import plain, read
from crosswheel.formats.wheels import serves
from crosswheel.model.config import Config
from crosswheel.model.job import (
    Artifact,
    Chore,
    Job,
    JobFinished,
    Note,
    Outcome,
    Plan,
    Sdist,
    StepStarted,
    Usage,
)
from crosswheel.model.targets import Target
from crosswheel.pipeline.one_job import ONLY_THERE, JobRunner, failure
from crosswheel.pipeline.schedule import history_of
from crosswheel.pipeline.source import is_public
from crosswheel.steps import Composition, Steps, Work, audit, find, keep, save, step
from crosswheel.steps.journal import Journal, JournalEntry
from crosswheel.steps.keys import test_recipe
from crosswheel.steps.wheelhouse import OutputFolder
from crosswheel.system.hashes import sha256_of
from crosswheel.system.scratch import temporary_folder

_POLL = 0.2  # seconds between two checks for Ctrl-C
_NOT = "-not"  # for the note why a wheel was not tested
_TAKERS = 2  # deliveries that are audited at the same time


@dataclass(frozen=True)
class Parcel:
    """A wheel that arrived: a file of this machine, how the worker ended its job, and what the journal is to know."""

    wheel: Path
    log: bytes
    outcome: Outcome
    made: Made


@dataclass(eq=False)
class Arrivals:
    """The first step of each job instead of build and repair: it takes the wheel that a worker delivered."""

    parcels: dict[Target, Parcel] = field(default_factory=dict)

    def __call__(self, work: Work) -> Work:
        parcel = self.parcels.get(work.job.target)
        if parcel is None:
            raise CrosswheelError(f"no worker has delivered a wheel for {work.job.target}", hint="the same command")
        work.log.write_bytes(parcel.log)
        return replace(
            work.with_wheel(parcel.wheel),
            usage=parcel.outcome.usage,
            uncompiled=parcel.made.uncompiled,
            requirements=parcel.made.requirements,
            began=work.began - parcel.made.seconds,
        )

    def __repr__(self) -> str:
        return "a worker's delivery"  # a part of keys, so it is the same in each run


@dataclass
class FleetRun:
    """One run of a plan on the workers of a pool."""

    plan: Plan
    sdist: Sdist
    config: Config
    services: Services
    journal: Journal
    pool: Pool
    rules: tuple[Any, ...] = ()
    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    _arrivals: Arrivals = field(default_factory=Arrivals)
    _orders: dict[str, tuple[Order, tuple[Job, ...]]] = field(default_factory=dict)
    _travelling: dict[str, Future[Any]] = field(default_factory=dict)
    _arrived: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    _open: set[str] = field(default_factory=set)
    """The orders whose deliveries are not taken yet."""
    _failed: bool = False
    _runner: JobRunner = field(init=False)
    _unread: JobRunner = field(init=False)
    """The runner for what arrives: with `--fresh`, too, it is kept in the journal, but not looked for there."""

    def __post_init__(self) -> None:
        arrive = step(name="arrive", needs=["journal"], quiet=True)(self._arrivals)
        elsewhere = {name: _Elsewhere(engine.toolchain) for name, engine in ENGINES.items()}
        composition = Composition(Steps[Work]((find, arrive, audit, keep, save)), self.rules, elsewhere)
        output = OutputFolder(self.config.output.folder)
        self._runner = JobRunner(self.sdist, self.config, self.services, composition, self.journal, output)
        arriving = replace(composition, steps=composition.steps.without("find"))
        self._unread = replace(self._runner, composition=arriving)

    @property
    def results(self) -> tuple[Outcome, ...]:
        return tuple(self.outcomes[job.target] for job in self.plan.jobs if job.target in self.outcomes)

    def execute(self) -> tuple[Outcome, ...]:
        """Run all jobs; return their outcomes in the order of the plan. Ctrl-C cancels orders, then is raised."""
        try:
            with ThreadPoolExecutor(_TAKERS) as takers:
                try:
                    self._send_all()
                    self._take_all(takers)
                finally:
                    for future in tuple(self._travelling.values()):
                        future.cancel()
        finally:
            for job in self.plan.jobs:
                if job.target not in self.outcomes:
                    self.outcomes[job.target] = Outcome(job, "cancelled")
        return self.results

    def _take_all(self, takers: ThreadPoolExecutor) -> None:
        """Take each delivery as it comes; nothing holds its bytes afterwards."""
        faults: list[BaseException] = []
        while self._open and not self._is_over():
            # With a timeout: Ctrl-C may reach another thread, which does not wake this one.
            with suppress(queue.Empty):
                name = self._arrived.get(timeout=_POLL)
                taking = takers.submit(self._take, name, self._travelling.pop(name))
                taking.add_done_callback(lambda ended: faults.extend(filter(None, [ended.exception()])))
            if faults:
                raise faults[0]

    def _is_over(self) -> bool:
        return self._failed and self.config.build.fail_fast

    # ---- sending --------------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        """Send what no earlier run has built; the rest is finished at once."""
        unknown = [group for group in groups(self.plan.jobs, self.sdist) if not self._found(group)]
        if not unknown:
            return
        history, workers = history_of(self.journal), self.pool.workers()
        public = f"{self.sdist.name}=={self.sdist.version}" if is_public(self.config.build.source) else ""
        for group in (part for whole in unknown for part in self._split(whole, workers)):
            try:
                order = _within(order_of(group, self.sdist, self.config, history), workers)
            except UsageError as error:
                self._fail(group, error)
                continue
            self._send(replace(order, public=public), group, seconds_of(group, history))

    def _send(self, order: Order, group: tuple[Job, ...], priority: float) -> None:
        """Send an order; a public source goes by its name and sha256, any other as its bytes."""
        if not self._orders:
            self.pool.listen(order.topic, self.hear)
        name = order.key
        self._orders[name] = order, group
        self._open.add(name)
        future = self.pool.submit(
            run_order,
            {**plain(order), "keywords": order.keywords},
            b"" if order.public else self.pool.share(self.sdist.sha256, self.sdist.path.read_bytes()),
            key=name,
            resources=order.resources,
            priority=priority,
        )
        self._travelling[name] = future
        future.add_done_callback(lambda _ended: self._arrived.put(name))

    def _split(self, group: tuple[Job, ...], workers: Sequence[Worker]) -> Sequence[tuple[Job, ...]]:
        """The group, or its jobs one by one if no worker can do all of them."""
        needs = {name: 1.0 for name in order_of(group, self.sdist, self.config, ()).resources if name != MEMORY}
        if len(group) == 1 or any(worker.fits(needs) for worker in workers):
            return [group]
        return [(job,) for job in group]

    # ---- the journal ----------------------------------------------------------------------------------------------

    def _found(self, group: tuple[Job, ...]) -> bool:
        """Whether earlier runs have built and tested the wheels of a group; its jobs are finished then."""
        entries = {job: entry for job in group if (entry := self._entry(job))}
        serving = {job: self._serving(job, entries) for job in group}
        if not all(serving.values()):
            return False
        saved: dict[Job, Outcome] = {}
        for job in sorted(group, key=lambda one: one not in entries):
            builder = serving[job]
            assert builder  # noqa: S101
            entry = entries[builder]
            if job is builder:
                outcome = saved[job] = self._runner.run(_with_engine(job, entry.engine))
            else:
                outcome = _served(job, saved[builder])
            self._finish(self._with_test(outcome, entry))
        return True

    def _entry(self, job: Job) -> JournalEntry | None:
        """The entry of an earlier run, on any of the engines."""
        return next(filter(None, map(self._runner.known, (job, *job.fallbacks))), None)

    def _serving(self, job: Job, entries: Mapping[Job, JournalEntry]) -> Job | None:
        """The job whose known wheel this one takes, if the wheel was tested for it, or could not be."""
        for builder in (job, *entries):
            entry = entries.get(builder)
            if entry and (builder is job or serves(entry.wheel, job.target)) and self._test_known(job.target, entry):
                return builder
        return None

    def _recipe(self, target: Target, sha256: str) -> str:
        return test_recipe(target, sha256, self.sdist, self.config.for_target(target))

    def _test_known(self, target: Target, entry: JournalEntry) -> bool:
        recipe = self._recipe(target, entry.sha256)
        return self.config.test.mode == "never" or entry.passed(recipe) or entry.passed(recipe + _NOT)

    def _with_test(self, outcome: Outcome, entry: JournalEntry) -> Outcome:
        """The outcome with what a worker said of the test of this wheel."""
        recipe = self._recipe(outcome.job.target, entry.sha256)
        if entry.passed(recipe):
            return replace(outcome, untested="", tested_before=True, tested_how=entry.tested_how(recipe))
        return replace(outcome, untested=entry.tested_how(recipe + _NOT) or outcome.untested)

    def _remember_test(self, theirs: Outcome, entry: JournalEntry | None) -> None:
        if entry is None:
            return
        recipe = self._recipe(theirs.job.target, entry.sha256)
        seconds = sum(step.seconds for step in theirs.steps if step.step == "test")
        if theirs.untested:
            entry.remember_test(recipe + _NOT, 0.0, theirs.untested.partition("\n")[0])
        elif self.config.test.mode != "never":
            entry.remember_test(recipe, seconds, theirs.tested_how)

    # ---- taking ---------------------------------------------------------------------------------------------------

    def hear(self, name: str, told: Mapping[str, Any]) -> None:
        """Pass on what a worker tells of an order."""
        if name not in self._open:
            return
        group = self._orders[name][1]
        jobs = {str(job.target): job for job in group}
        for event in told.get("events", ()):
            if (job := jobs.get(event.get("target", ""))) and "step" in event:
                self.services.listener(StepStarted(replace(job, engine=event["engine"]), event["step"]))
            elif "note" in event:
                self.services.listener(Note(event["note"]))
            elif "chore" in event:
                self.services.listener(Chore(event["chore"]))
        if "log" in told:
            log = self.config.output.folder / "logs" / Path(told["log"]).name
            log.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError), log.open("a", encoding="utf-8", errors="replace") as file:
                file.write(told["text"])

    def _take(self, name: str, future: Future[Any]) -> None:
        """Take the delivery of an order; what comes of it is in `outcomes` then."""
        order, group = self._orders[name]
        try:
            if not future.cancelled():
                data, files = future.result()
                self._accept(order, group, read(Delivery, data), files)
        except CrosswheelError as error:
            self._fail(group, error)
        except Exception as error:  # noqa: BLE001 - whatever a worker or a connection gives fails this order alone
            self._fail(group, CrosswheelError(f"the order failed: {error}", hint="the same command again"))
        finally:
            self._open.discard(name)

    def _accept(self, order: Order, group: tuple[Job, ...], delivery: Delivery, files: Mapping[str, bytes]) -> None:
        if delivery.lacks_source:
            self._send(replace(order, public=""), group, 0.0)
            return
        with temporary_folder() as folder:
            saved: dict[str, tuple[Artifact, JournalEntry | None]] = {}
            theirs = {outcome.job.target: outcome for outcome in delivery.outcomes}
            # Those that were built come before those that they serve.
            for job in sorted(group, key=lambda one: not _is_built(theirs.get(one.target), delivery)):
                self._finish(self._taken(job, delivery, files, folder, saved))

    def _taken(
        self,
        job: Job,
        delivery: Delivery,
        files: Mapping[str, bytes],
        folder: Path,
        saved: dict[str, tuple[Artifact, JournalEntry | None]],
    ) -> Outcome:
        """How a job of a delivery ended; its wheel is kept and saved here."""
        theirs = next((one for one in delivery.outcomes if one.job.target == job.target), None)
        if theirs is None:
            lost = CrosswheelError(f"the worker {delivery.worker} ended without this wheel", hint="the same command")
            return Outcome(job, "failed", failure=delivery.failure or failure(lost, "open"))
        log = self._log(theirs, files)
        theirs = replace(theirs, worker=delivery.worker)
        if not theirs.ok or theirs.wheel is None:
            return self._not_made(replace(theirs, log=log), delivery, files)
        name = theirs.wheel.path.name
        if name not in saved:
            parcel = _unpack(theirs, delivery, files, folder)
            if sha256_of(parcel.wheel) != theirs.wheel.sha256:
                broken = SourceError(f"{name} did not arrive as {delivery.worker} sent it", hint="the same command")
                return Outcome(theirs.job, "failed", failure=failure(broken, "arrive"), log=log)
            self._arrivals.parcels[job.target] = parcel
            ours = _with_engine(job, theirs.job.engine)
            outcome = self._unread.run(ours)
            if outcome.wheel is None:
                return replace(outcome, job=theirs.job)
            saved[name] = outcome.wheel, self.journal.find(self._unread.key(ours))
            theirs = replace(theirs, findings=outcome.findings)
        wheel, entry = saved[name]
        self._remember_test(theirs, entry)
        return replace(theirs, wheel=wheel, log=log)

    def _not_made(self, theirs: Outcome, delivery: Delivery, files: Mapping[str, bytes]) -> Outcome:
        """The outcome of a failed job, whose texts name places of this machine."""
        rejected = self.config.output.folder / "rejected"
        for name, content in files.items():
            if name.startswith("rejected/"):
                rejected.mkdir(parents=True, exist_ok=True)
                (rejected / Path(name).name).write_bytes(content)
        if why := theirs.failure:
            here = str(self.config.output.folder)
            message, hint = (text.replace(delivery.folder, here) for text in (why.message, why.hint))
            theirs = replace(theirs, failure=replace(why, message=message, hint=hint))
        return theirs

    def _log(self, theirs: Outcome, files: Mapping[str, bytes]) -> Path | None:
        """The job's whole log in place of what was heard of it."""
        content = _log_of(theirs, files)
        if content is None:
            return None
        log = self._runner.output.log(self.sdist, theirs.job.target)
        log.write_bytes(content)
        return log

    def _fail(self, group: Sequence[Job], error: CrosswheelError) -> None:
        for job in group:
            self._finish(Outcome(job, "failed", failure=failure(error, "open")))

    def _finish(self, outcome: Outcome) -> None:
        self.outcomes[outcome.job.target] = outcome
        self._failed = self._failed or outcome.status == "failed"
        self.services.listener(JobFinished(outcome))


def _within(order: Order, workers: Sequence[Worker]) -> Order:
    """The order with no more memory than the largest worker that fits otherwise."""
    needs = {name: amount for name, amount in order.resources.items() if name != MEMORY}
    most = max((worker.resources.get(MEMORY, 0.0) for worker in workers if worker.fits(needs)), default=0.0)
    return replace(order, resources={**needs, MEMORY: min(order.resources[MEMORY], most)})


def _with_engine(job: Job, engine: str) -> Job:
    """The job as planned for the engine that a worker took."""
    return next((one for one in (job, *job.fallbacks) if one.engine == engine), replace(job, engine=engine))


def _is_built(outcome: Outcome | None, delivery: Delivery) -> bool:
    return outcome is not None and any(made.target == outcome.job.target for made in delivery.made)


def _served(job: Job, builder: Outcome) -> Outcome:
    """The outcome of a job that takes the known wheel of another one."""
    if builder.status == "pure" or builder.wheel is None:
        return replace(builder, job=job, steps=(), usage=Usage(), log=None)
    return Outcome(job, "reused", builder.wheel, note=f"served by {builder.wheel.path.name}", untested=ONLY_THERE)


def _log_of(outcome: Outcome, files: Mapping[str, bytes]) -> bytes | None:
    return files.get(f"logs/{outcome.log.name}") if outcome.log else None


def _unpack(theirs: Outcome, delivery: Delivery, files: Mapping[str, bytes], folder: Path) -> Parcel:
    assert theirs.wheel  # noqa: S101
    wheel = folder / str(theirs.job.target) / theirs.wheel.path.name
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(files.get(wheel.name, b""))
    made = next((one for one in delivery.made if one.target == theirs.job.target), Made(theirs.job.target, 0.0))
    return Parcel(wheel, _log_of(theirs, files) or b"", theirs, made)


@dataclass(frozen=True)
class _Elsewhere:
    """An engine of workers: nothing of this machine is a part of its wheels' keys but the versions of its tools."""

    toolchain: Mapping[str, str]
    family: None = None

    def offer(self, _target: Target, _config: Config, _facts: Facts) -> str:
        return "it is on workers"

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:
        """Workers prepare themselves."""

    def open(self, *_args: Any, **_options: Any) -> Any:
        raise CannotRun("this engine is on workers", hint="--scheduler")
