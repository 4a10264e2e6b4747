"""Whole runs over tests/projects/ with an engine that has no toolchain: what stays behind, and what is said of it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clock import LIMIT, Clock
from crosswheel import errors
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.auditing.rules.rule import Rule
from crosswheel.commands import run_verb
from crosswheel.commands.wheels import Report
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running
from crosswheel.engines import ENGINES
from crosswheel.engines.services import Services
from crosswheel.errors import (
    BuildFailed,
    CannotRun,
    ContainerLost,
    CrosswheelError,
    DiskFull,
    EmulatorCrashed,
    EngineUnavailable,
    ImageUnavailable,
    IndexUnreachable,
    MissingTool,
    OutOfMemory,
    TimeLimit,
)
from crosswheel.formats.wheels import Wheel
from crosswheel.model.config import Config
from crosswheel.model.job import Event, Finding, JobFinished, Note, Outcome, Refusal, StepStarted
from crosswheel.model.targets import Target, parse_policy
from crosswheel.pipeline.run import Run
from crosswheel.reporting.tally import tally
from crosswheel.steps import MAKE, Composition, Step, Steps, Work, audit, step
from crosswheel.steps.sequence import name_of, traits_of
from crosswheel.system import process
from crosswheel.system.process import CommandFailed
from stray import runs_still
from tiny_projects import (
    PATIENCE,
    PYTHONS,
    TARGETS,
    WHEELS,
    TinyEngine,
    Yard,
    make_with,
    only_outcome,
    statuses,
    tiny_facts,
    tiny_host,
    tiny_project,
)

# ---- wheels that are right ------------------------------------------------------------------------------------


def test_a_good_project_gives_a_wheel_of_the_policy_for_every_python(yard: Yard) -> None:
    outcomes = yard.run("platform", pythons=3).execute()
    assert statuses(outcomes) == ["built", "built", "built"]
    assert [outcome.wheel.path.name for outcome in outcomes if outcome.wheel] == WHEELS
    assert yard.files() == WHEELS
    assert [[step.step for step in outcome.steps] for outcome in outcomes] == [["build", "repair", "audit"]] * 3
    assert not [finding for outcome in outcomes for finding in outcome.findings if finding.level != "note"]
    assert yard.engine.prepared == ["manylinux_2_17_aarch64 c"]
    assert yard.files("tmp") == []
    log = yard.folder / "wheelhouse/logs/tiny-1.0-cp311-manylinux2014_aarch64.log"
    assert outcomes[0].log == log
    assert "compiling fast" in log.read_text()


def test_times_of_jobs_and_their_steps_are_there(yard: Yard) -> None:
    (outcome,) = yard.run("platform").execute()
    assert outcome.started is not None
    assert outcome.ended is not None
    moments = [outcome.started, *(step.started or 0 for step in outcome.steps), outcome.ended]
    assert moments == sorted(moments)
    spent = [step.cpu_seconds for step in outcome.steps]
    assert all(spent), "each step starts a process, or computes"
    assert outcome.cpu_seconds is not None
    assert outcome.cpu_seconds >= sum(filter(None, spent))
    assert outcome.waits_for == ()


def test_each_job_knows_what_will_be_built_after_it(yard: Yard) -> None:
    yard.run("platform", pythons=3, jobs=1).execute()
    assert (yard.engine.opened, yard.engine.following) == (["cp311", "cp312", "cp313"], ["cp312", "cp313", ""])


def test_of_jobs_side_by_side_each_knows_which_takes_its_place(yard: Yard) -> None:
    yard.run("platform", pythons=3, jobs=2).execute()
    assert sorted(yard.engine.following) == ["", "", "cp313"]


def test_what_an_earlier_run_has_built_is_not_waited_for(yard: Yard) -> None:
    yard.run("platform", pythons=2).execute()
    yard.engine.following.clear()
    yard.run("platform", pythons=3, jobs=1).execute()
    assert yard.engine.following == [""]


def test_a_pure_wheel_is_built_once_and_serves_every_python(yard: Yard) -> None:
    outcomes = yard.run("pure", pythons=3).execute()
    assert statuses(outcomes) == ["pure", "pure", "pure"]
    assert yard.files() == ["tiny-1.0-py3-none-any.whl"]
    assert {outcome.note for outcome in outcomes} == {"a pure wheel: no cross build needed"}
    assert [bool(outcome.steps) for outcome in outcomes] == [False, False, True]
    assert (yard.engine.prepared, yard.engine.opened, yard.engine.opened_bare) == ([], [], ["cp313"])


def test_a_project_that_only_looked_pure_is_built_in_full(yard: Yard) -> None:
    outcomes = yard.run("surprise", pythons=2).execute()
    assert statuses(outcomes) == ["built", "built"]
    assert yard.files() == WHEELS[:2]
    assert sorted(yard.engine.opened) == ["cp311", "cp312"]


def test_a_wheel_of_the_stable_abi_is_built_once_for_the_oldest_python(yard: Yard) -> None:
    outcomes = yard.run("stable_abi", pythons=3).execute()
    wheel = "tiny-1.0-cp311-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl"
    assert statuses(outcomes) == ["built", "reused", "reused"]
    first = outcomes[0].job.target
    assert [outcome.waits_for for outcome in outcomes] == [(), (first,), (first,)]
    assert yard.files() == [wheel]
    assert [outcome.note for outcome in outcomes] == ["", f"served by {wheel}", f"served by {wheel}"]
    assert yard.engine.opened == ["cp311"]


def test_a_wheel_of_the_stable_abi_is_built_once_also_where_older_pythons_have_their_own(yard: Yard) -> None:
    outcomes = yard.run("stable_abi_since_312", pythons=3).execute()
    wheel = "tiny-1.0-cp312-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl"
    assert statuses(outcomes) == ["built", "built", "reused"]
    assert yard.files() == [WHEELS[0], wheel]
    assert outcomes[2].note == f"served by {wheel}"
    assert sorted(yard.engine.opened) == ["cp311", "cp312"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_is_said_of_a_wheel_is_true_of_the_file_however_many_jobs_made_it(yard: Yard, jobs: int) -> None:
    outcomes = yard.run("for_any_python", pythons=3, jobs=jobs).execute()
    name = "tiny-1.0-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl"
    assert yard.files() == [name]
    assert sorted(statuses(outcomes)) == ["built", "reused", "reused"]
    digest = hashlib.sha256((yard.folder / "wheelhouse" / name).read_bytes()).hexdigest()
    assert [outcome.wheel.sha256 for outcome in outcomes if outcome.wheel] == [digest] * 3
    assert len(yard.engine.opened) == jobs


def test_a_module_in_the_current_folder_is_not_taken_for_one_of_ours(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projects of packaging and auditwheel have a folder of that name, and run us in the one above it."""
    for name in ("packaging", "auditwheel", "json"):
        (yard.folder / f"{name}.py").write_text("raise SystemExit('taken from the current folder')")
    monkeypatch.chdir(yard.folder)
    assert only_outcome(yard.run("platform")).failure is None


# ---- the tuple of steps is what runs ------------------------------------------------------------------------------


def test_a_job_runs_exactly_the_steps_of_the_tuple(yard: Yard) -> None:
    ran: list[str] = []

    def recording(name: str) -> Step[Work]:
        ours = next(each for each in MAKE if name_of(each) == name)

        @step(name=name, needs=traits_of(ours).needs)
        def recorded(work: Work) -> Work:
            ran.append(name)
            return traits_of(ours).instead(work) or ours(work)

        return recorded

    steps = Steps(recording(name) for name in MAKE.names)
    assert only_outcome(yard.run("platform", steps=steps)).status == "built"
    assert ran == ["find", "build", "repair", "audit", "keep", "test", "again", "save"] == [*MAKE.names]


def test_an_own_step_is_announced_timed_and_told_of_like_ours(yard: Yard) -> None:
    events: list[Event] = []

    def sign(work: Work) -> Work:
        signed = work.folder / "signed" / work.wheel.name
        signed.parent.mkdir()
        shutil.copy(work.wheel, signed)
        return work.with_wheel(signed)

    outcome = only_outcome(yard.run("platform", steps=MAKE.after("repair", sign), react=events.append))
    names = ["build", "repair", "sign", "audit"]
    assert [step.step for step in outcome.steps] == names
    assert [event.step for event in events if isinstance(event, StepStarted)] == names
    assert (outcome.status, yard.files()) == ("built", WHEELS[:1])


def test_an_own_step_that_fails_fails_its_job_under_its_name(yard: Yard) -> None:
    def sign(_work: Work) -> Work:
        raise BuildFailed("the key has expired", hint="gpg --quick-set-expire")

    failure = only_outcome(yard.run("platform", steps=MAKE.after("repair", sign))).failure
    assert failure
    assert (failure.kind, failure.step, failure.message) == ("BuildFailed", "sign", "the key has expired")


def test_a_step_that_returns_nothing_is_told_so(yard: Yard) -> None:
    def forget(_work: Work) -> None:
        pass

    steps: Any = MAKE.after("repair", forget)  # type: ignore[arg-type]
    failure = only_outcome(yard.run("platform", steps=steps)).failure
    assert failure
    assert (failure.message, failure.hint) == ("the step forget returned NoneType", "a step returns a Work")


def test_a_second_build_takes_the_own_steps_too(yard: Yard) -> None:
    signed: list[str] = []

    def sign(work: Work) -> Work:
        signed.append(str(work.workspace.root))
        return work

    outcome = only_outcome(yard.run("platform", steps=MAKE.after("repair", sign), twice=True))
    assert (outcome.reproducible, len(set(signed))) == (True, 2)


def test_without_its_test_a_wheel_is_told_to_be_untested(yard: Yard) -> None:
    outcome = only_outcome(yard.run("platform", steps=MAKE.without("test")))
    assert (outcome.status, outcome.untested) == ("built", "no step tests it")


def composed(run: Run, composition: Composition) -> Run:
    return Run(run.plan, run.sdist, run.config, run.services, run.journal, composition)


def test_an_engine_of_a_projects_own_builds(yard: Yard) -> None:
    mine = TinyEngine(yard.folder / "notes")
    run = composed(yard.run("platform", engines=("mine",)), Composition(MAKE, engines={"mine": mine}))
    assert only_outcome(run).status == "built"
    assert (mine.opened, yard.engine.opened, "mine" in ENGINES) == (["cp311"], [], False)


class NoLicence(Rule):
    """The wheel has no file COPYING."""

    code = "X001"
    why = "The lawyers ask for it."
    fix = "add COPYING"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if "COPYING" not in wheel.members:
            yield self.finding(expected="COPYING")


def test_a_rule_of_a_projects_own_refuses(yard: Yard) -> None:
    failure = only_outcome(composed(yard.run("platform"), Composition(MAKE, (NoLicence(),)))).failure
    assert failure
    assert (failure.kind, failure.step, failure.hint) == ("AuditFailed", "audit", "add COPYING")
    assert failure.message == "X001: The wheel has no file COPYING."


# ---- wheels that are wrong, or never come ---------------------------------------------------------------------


def test_a_hook_that_raises_fails_with_its_error(yard: Yard) -> None:
    outcome = only_outcome(yard.run("raises"))
    failure = outcome.failure
    assert failure
    assert (failure.kind, failure.exit_code, failure.step) == ("BuildFailed", 7, "build")
    error = "RuntimeError: fast.c:1: error: unknown type name 'Fast'"
    assert failure.message == (
        f"code of the build ended it: {error} (python _in_process.py build_wheel failed with exit code 1)\n{error}"
    )
    assert failure.hint == f"less {outcome.log}"
    assert failure.log_tail[-1] == error
    assert yard.files() == []
    assert yard.files("tmp") == []


def test_a_hook_that_hangs_is_ended_with_all_that_it_started(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "time", Clock((yard.folder / "notes" / "cp311.pids").exists))
    outcome = only_outcome(yard.run("hangs", timeout=LIMIT))
    failure = outcome.failure
    assert failure
    assert (failure.kind, failure.exit_code, failure.step) == ("TimeLimit", 11, "build")
    assert failure.message.endswith("build_wheel was still running at the time limit")
    assert failure.hint == "set a longer `timeout` (seconds) in [tool.crosswheel], or find in the log what it waits for"
    assert not [pid for pid in yard.pids("cp311") if runs_still(pid)]
    assert yard.files() == []


@pytest.mark.parametrize(
    ("project", "made"),
    [
        ("no_wheel", "none"),
        ("two_wheels", "tiny-1.0-cp311-cp311-linux_aarch64.whl, tiny-1.0-py3-none-any.whl"),
    ],
)
def test_a_backend_makes_one_wheel_or_fails(yard: Yard, project: str, made: str) -> None:
    failure = only_outcome(yard.run(project)).failure
    assert failure
    assert (failure.kind, failure.exit_code) == ("WheelCount", 10)
    assert failure.message == f"the build backend must make one wheel, but made {made}"
    assert yard.files() == []


def test_a_platform_wheel_without_a_library_is_rejected_and_kept_for_a_look(yard: Yard) -> None:
    outcome = only_outcome(yard.run("without_elf"))
    failure = outcome.failure
    assert failure
    assert (failure.kind, failure.exit_code, failure.step) == ("AuditFailed", 9, "audit")
    assert failure.message == (
        "W601: A platform wheel contains no binary: its extension is optional and was not compiled. (found no ELF file)"
    )
    assert "W601" in [finding.rule for finding in outcome.findings]
    assert outcome.wheel is None
    assert yard.files() == ["rejected/tiny-1.0-cp311-cp311-linux_aarch64.whl"]


def test_an_extension_that_was_not_compiled_is_named_with_the_reason(yard: Yard) -> None:
    outcome = only_outcome(yard.run("lacks_an_extension"))
    assert outcome.status == "built"
    (finding,) = outcome.findings
    assert (finding.rule, finding.level, finding.member) == ("W605", "warning", "faster")
    assert finding.found == "the header zlib.h was not found: faster.c:1:10: fatal error: 'zlib.h' file not found"
    again = only_outcome(yard.run("lacks_an_extension"))
    assert (again.status, again.findings) == ("kept", outcome.findings)


def test_a_wheel_that_became_pure_says_so(yard: Yard) -> None:
    outcome = only_outcome(yard.run("lacks_all"))
    assert [finding.rule for finding in outcome.findings] == ["W605"]
    assert outcome.note == "a pure wheel, because its extensions were not compiled"


def test_a_build_that_failed_is_explained(yard: Yard) -> None:
    failure = only_outcome(yard.run("misses_a_header")).failure
    assert failure
    assert (failure.kind, failure.exit_code, failure.step) == ("BuildFailed", 7, "build")
    first, evidence = failure.message.splitlines()
    assert first.startswith("the header zlib.h was not found (python ")
    assert evidence == "fast.c:1:10: fatal error: 'zlib.h' file not found"
    assert failure.hint.startswith("--engine accelerated")
    # What the advice needs is not there, and why.
    assert failure.hint.endswith(". That engine cannot be used yet: no Docker Engine answers there")


def test_a_rule_that_is_switched_off_rejects_no_wheel_and_stays_in_the_report(yard: Yard) -> None:
    switched_off = "".join(f'{rule.code} = "a trial"\n' for rule in ALL_RULES)
    (yard.folder / "pyproject.toml").write_text(f"[tool.crosswheel.ignore]\n{switched_off}")
    outcome = only_outcome(yard.run("without_elf"))
    assert (outcome.status, outcome.failure) == ("built", None)
    assert ("W601", "a trial") in [(finding.rule, finding.ignored) for finding in outcome.findings]
    assert yard.files() == ["tiny-1.0-cp311-cp311-linux_aarch64.whl"]


def test_one_failure_does_not_stop_the_others(yard: Yard) -> None:
    outcomes = yard.run("raises_once", pythons=3).execute()
    assert statuses(outcomes) == ["built", "failed", "built"]
    assert yard.files() == [WHEELS[0], WHEELS[2]]


def test_a_fault_of_ours_costs_its_own_job_and_none_beside_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(work: Work) -> Work:
        if work.job.target == TARGETS[0]:
            raise ZeroDivisionError("by nobody")
        return audit(work)

    outcomes = yard.run("platform", pythons=2, jobs=1, steps=make_with(audit=faulty)).execute()
    assert statuses(outcomes) == ["failed", "built"]
    failure = outcomes[0].failure
    assert failure
    assert (failure.kind, failure.exit_code, failure.step) == ("CrosswheelError", 1, "audit")
    assert failure.message == "ZeroDivisionError: by nobody: a bug in crosswheel"
    assert failure.log_tail[-1] == "ZeroDivisionError: by nobody"


def test_with_fail_fast_the_first_failure_stops_the_rest_and_keeps_what_is_done(yard: Yard) -> None:
    outcomes = yard.run("raises_once", pythons=3, jobs=1, fail_fast=True).execute()
    assert statuses(outcomes) == ["built", "failed", "cancelled"]
    assert yard.files() == [WHEELS[0]]


def test_with_fail_fast_nothing_is_prepared_after_what_could_not_be(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = yard.run("platform", pythons=2, fail_fast=True)
    first, second = run.plan.jobs
    newer = replace(second, target=replace(second.target, policy=parse_policy("manylinux_2_28")))
    run.plan = replace(run.plan, jobs=(first, newer))
    asked: list[str] = []

    def prepare(target: Target, config: Config, services: Services, *, cxx: bool) -> None:
        asked.append(str(target.policy))
        raise MissingTool("there is no compiler", hint="get one")

    monkeypatch.setattr(yard.engine, "prepare", prepare)
    assert statuses(run.execute()) == ["failed", "cancelled"]
    assert asked == [str(first.target.policy)]


def test_a_full_disk_is_named_and_leaves_no_half_wheel(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def copyfile(source: Path, to: Path) -> None:
        to.write_bytes(source.read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(to))

    run = yard.run("platform")
    monkeypatch.setattr(shutil, "copyfile", copyfile)
    failure = only_outcome(run).failure
    assert failure
    assert (failure.kind, failure.exit_code) == ("DiskFull", 12)
    assert failure.message.startswith(f"no space left: {yard.folder}/wheelhouse/.tiny-1.0-cp311-")
    assert failure.hint == "df -h; then free some space, or set TMPDIR to a larger disk"
    assert yard.files() == []


def test_two_jobs_may_reject_a_wheel_of_one_name_at_the_same_moment(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, copyfile = threading.Barrier(2), shutil.copyfile

    def copied_by_both(source: Path, to: Path, **how: Any) -> None:
        copyfile(source, to, **how)
        if str(to).endswith(".partial"):
            both.wait(PATIENCE)

    monkeypatch.setattr(shutil, "copyfile", copied_by_both)
    outcomes = yard.run("without_elf_for_any_python", pythons=2, jobs=2).execute()
    assert [outcome.failure.kind for outcome in outcomes if outcome.failure] == ["AuditFailed", "AuditFailed"]
    assert yard.files() == ["rejected/tiny-1.0-py3-none-linux_aarch64.whl"]


# ---- another engine -------------------------------------------------------------------------------------------


@pytest.fixture
def ladder(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> dict[str, TinyEngine]:
    """An engine of its own for every rung."""
    engines = {name: TinyEngine(yard.folder / "notes") for name in ("accelerated", "emulated")}
    for name, engine in engines.items():
        monkeypatch.setitem(ENGINES, name, engine)
    return {**engines, "cross": yard.engine}


def test_what_the_accelerated_engine_cannot_build_is_built_by_the_images_own_compiler(
    yard: Yard, ladder: dict[str, TinyEngine]
) -> None:
    ladder["accelerated"].trouble = CommandFailed(["cc"], 1, "clang: error\nand more")
    events: list[Event] = []
    engines = ("accelerated", "cross", "emulated")
    run = yard.run("platform", pythons=2, engines=engines, react=events.append)
    outcomes = run.execute()
    assert statuses(outcomes) == ["built", "built"]
    assert yard.files() == WHEELS[:2]
    assert {name: sorted(engine.opened) for name, engine in ladder.items()} == {
        "accelerated": ["cp311", "cp312"], "cross": [], "emulated": ["cp311", "cp312"],
    }  # fmt: skip
    reason = "accelerated failed in build: cc failed with exit code 1"
    assert [(job.engine, job.reason) for job in (outcome.job for outcome in outcomes)] == [("emulated", reason)] * 2
    assert outcomes[0].job.refused == (Refusal("accelerated", reason),)
    notes = sorted(event.text for event in events if isinstance(event, Note))
    assert notes == [f"{target}: {reason}; now with the engine emulated" for target in TARGETS[:2]]
    # Each is told of once, as it ended, and counted once.
    finished = [event.outcome for event in events if isinstance(event, JobFinished)]
    assert sorted(map(str, (outcome.job.target for outcome in finished))) == [str(target) for target in TARGETS[:2]]
    report = Report(run.plan, outcomes, run.sdist, 0.0, 1.0)
    assert (tally(report).jobs, tally(report).built, tally(report).unfinished) == (2, 2, ())
    logs = yard.folder / "wheelhouse" / "logs"
    assert "compiling fast" in (logs / f"tiny-1.0-{TARGETS[0]}.log").read_text()
    assert (logs / f"tiny-1.0-{TARGETS[0]}.accelerated.log").is_file()


@pytest.mark.parametrize(
    ("first", "others", "trouble", "used"),
    [
        ("accelerated", ("cross", "emulated"), EmulatorCrashed("crashed"), "cross"),
        ("accelerated", ("emulated",), EmulatorCrashed("crashed"), "emulated"),
        ("accelerated", ("cross", "emulated"), OutOfMemory("out of memory"), ""),
        ("accelerated", ("cross", "emulated"), ContainerLost("it ended"), "emulated"),
        ("accelerated", ("cross",), BuildFailed("it broke"), ""),
        ("accelerated", ("cross", "emulated"), TimeLimit("too long"), ""),
        ("accelerated", ("cross", "emulated"), DiskFull("full"), ""),
        ("accelerated", ("cross", "emulated"), EngineUnavailable("gone"), ""),
        ("accelerated", ("cross", "emulated"), IndexUnreachable("gone"), ""),
        # Engines that were asked for by name have nothing to fall back on.
        ("accelerated", (), BuildFailed("it broke"), ""),
        ("cross", ("emulated",), BuildFailed("it broke"), ""),
        ("emulated", ("cross",), EmulatorCrashed("crashed"), "cross"),
    ],
)
def test_another_engine_is_tried_where_it_may_do_better(
    yard: Yard, ladder: dict[str, TinyEngine], first: str, others: tuple[str, ...], trouble: CrosswheelError, used: str
) -> None:
    ladder[first].trouble = trouble
    outcome = only_outcome(yard.run("platform", engines=(first, *others)))
    assert [name for name, engine in ladder.items() if engine.opened and name != first] == [used] * bool(used)
    assert (outcome.status, outcome.job.engine) == (("built", used) if used else ("failed", first))
    assert outcome.failure is None or outcome.failure.kind == type(trouble).__name__


def test_only_one_more_engine_is_tried(yard: Yard, ladder: dict[str, TinyEngine]) -> None:
    ladder["accelerated"].trouble = ladder["emulated"].trouble = BuildFailed("it broke")
    outcome = only_outcome(yard.run("platform", engines=("accelerated", "emulated", "cross")))
    assert (outcome.status, outcome.job.engine) == ("failed", "emulated")
    assert ladder["cross"].opened == []


def test_with_fail_fast_a_job_fails_on_its_last_engine_only(yard: Yard, ladder: dict[str, TinyEngine]) -> None:
    ladder["accelerated"].trouble = BuildFailed("it broke")
    outcomes = yard.run("platform", pythons=2, jobs=1, engines=("accelerated", "emulated"), fail_fast=True).execute()
    assert statuses(outcomes) == ["built", "built"]


# ---- what is tested -------------------------------------------------------------------------------------------


NO_ENGINE = "no Docker Engine answers there"


def docker_host(machine: str = "x86_64") -> DockerHost:
    """One that nobody may talk to."""
    return DockerHost(None, "unix:///nowhere", "29.0", machine, cpus=2, memory=2**30)  # type: ignore[arg-type]


@pytest.mark.parametrize(("options", "reason"), [({}, NO_ENGINE), ({"test": "never"}, "--test never")])
def test_an_outcome_says_why_its_wheel_was_not_tested(yard: Yard, options: dict[str, Any], reason: str) -> None:
    assert [outcome.untested for outcome in yard.run("platform", pythons=2, **options).execute()] == [reason] * 2
    assert [outcome.untested for outcome in yard.run("pure", pythons=2, **options).execute()] == [reason] * 2


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (CannotRun("no aarch64 there", hint="crosswheel register"), "no aarch64 there; crosswheel register"),
        (EngineUnavailable("it is gone"), "it is gone"),
    ],
)
def test_where_the_docker_host_runs_no_such_programs_the_reason_says_what_to_do(
    yard: Yard, found: CrosswheelError, reason: str
) -> None:
    run = yard.run("platform", docker=docker_host())
    run.services.facts.once.known["running", TARGETS[0].arch] = found
    outcome = only_outcome(run)
    assert (outcome.status, outcome.untested) == ("built", reason)


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Targets whose wheels went through the last step, which needs an engine and passes here."""
    seen: list[str] = []

    def test(work: Work) -> None:
        seen.append(str(work.job.target.python))

    monkeypatch.setattr(sys.modules["crosswheel.steps.test"], "test_in_images", test)
    return seen


def on_docker(yard: Yard, project: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Run:
    """A run with a Docker host that runs the architecture and has its image, and no containers."""
    monkeypatch.setattr("crosswheel.pipeline.one_job.first_container", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr("crosswheel.containers.docker_containers.find_image", lambda *_: None)
    monkeypatch.setattr("crosswheel.containers.docker_containers.ensure_image", lambda *_, **_options: None)
    monkeypatch.setattr("crosswheel.engines.services.ensure_toolbox", lambda *_, **_options: None)
    run = yard.run(project, docker=docker_host(), **options)
    run.services.facts.once.known["running", TARGETS[0].arch] = Running(TARGETS[0].arch, natively=False)
    return run


def test_wheels_are_tested_where_there_is_an_engine_that_runs_them(
    yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = on_docker(yard, "platform", monkeypatch, pythons=2).execute()
    assert sorted(tested) == ["cp311", "cp312"]
    assert [outcome.untested for outcome in outcomes] == ["", ""]
    assert [[step.step for step in outcome.steps] for outcome in outcomes] == [["build", "repair", "audit", "test"]] * 2


def test_a_pure_wheel_was_tried_on_one_python_and_the_others_say_so(
    yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = on_docker(yard, "pure", monkeypatch, pythons=3).execute()
    assert tested == ["cp313"]
    reason = "only tested on the Python that it was built for"
    assert {str(outcome.job.target.python): outcome.untested for outcome in outcomes} == {
        **dict.fromkeys(map(str, PYTHONS), reason),
        "cp313": "",
    }


def test_a_wheel_of_the_stable_abi_is_tested_on_each_python_that_it_serves_and_once(
    yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["crosswheel.steps.test"], "test_key", lambda job, *_: f"of-{job.target}")
    for before in (False, True):
        outcomes = on_docker(yard, "stable_abi", monkeypatch, pythons=3).execute()
        assert sorted(tested) == ["cp311", "cp312", "cp313"]
        assert [(outcome.untested, outcome.tested_before) for outcome in outcomes] == [("", before)] * 3
        assert [outcome.status for outcome in outcomes][1:] == ["reused", "reused"]


def test_a_wheel_of_the_stable_abi_that_fails_on_a_later_python_fails_that_job(
    yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def test(work: Work) -> None:
        if str(work.job.target.python) == "cp312":
            raise errors.TestFailed("import tiny failed")

    monkeypatch.setattr(sys.modules["crosswheel.steps.test"], "test_in_images", test)
    outcomes = on_docker(yard, "stable_abi", monkeypatch, pythons=3).execute()
    assert [outcome.status for outcome in outcomes] == ["built", "failed", "reused"]
    assert outcomes[1].failure
    assert (outcomes[1].failure.kind, outcomes[1].failure.step) == ("TestFailed", "test")


def test_what_the_audit_rejects_is_not_tried(yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = only_outcome(on_docker(yard, "without_elf", monkeypatch))
    assert (outcome.status, tested) == ("failed", [])
    assert [step.step for step in outcome.steps] == ["build", "repair", "audit"]


def test_a_wheel_that_fails_its_test_is_not_built_again_by_a_slower_engine(
    yard: Yard, ladder: dict[str, TinyEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def test(_work: Work) -> None:
        raise errors.TestFailed("import tiny failed")

    monkeypatch.setattr(sys.modules["crosswheel.steps.test"], "test_in_images", test)
    outcome = only_outcome(on_docker(yard, "platform", monkeypatch, engines=("accelerated", "emulated")))
    assert outcome.failure
    assert (outcome.failure.kind, outcome.failure.step) == ("TestFailed", "test")
    assert ladder["emulated"].opened == []
    assert [path.name for path in (yard.folder / "wheelhouse" / "rejected").iterdir()] == WHEELS[:1]


def test_an_image_that_cannot_be_had_for_the_test_leaves_the_wheel_untested_and_does_not_fail_it(
    yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object, **_options: object) -> None:
        raise ImageUnavailable("the registry refuses", hint="docker login")

    for status in ("built", "kept"):
        run = on_docker(yard, "platform", monkeypatch)
        monkeypatch.setattr("crosswheel.containers.docker_containers.ensure_image", refuse)
        outcome = only_outcome(run)
        assert (outcome.status, outcome.untested, tested) == (status, "the registry refuses; docker login", [])


# ---- a run that is stopped ------------------------------------------------------------------------------------


@pytest.fixture
def interrupt(yard: Yard) -> Iterator[Callable[[Event], None]]:
    """A listener that sends Ctrl-C once one job is finished and the other's hook hangs."""
    finished, over = threading.Event(), threading.Event()

    def react(event: Event) -> None:
        if isinstance(event, JobFinished):
            finished.set()

    def send() -> None:
        # Whatever goes wrong: a test that waits for ever for its Ctrl-C would tell nobody.
        with contextlib.suppress(AssertionError):
            yard.pids("cp313")
            finished.wait(PATIENCE)
        if not over.is_set():
            # The kernel chooses the thread that gets a process's signal, and this is the worst that it can choose.
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    yield react
    over.set()
    finished.set()
    sender.join()
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_keeps_finished_wheels_and_leaves_no_process(yard: Yard, interrupt: Callable[[Event], None]) -> None:
    run = yard.run("hangs_once", pythons=3, react=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.execute()
    assert statuses(run.results) == ["built", "built", "cancelled"]
    assert yard.files() == WHEELS[:2]
    assert not [pid for pid in yard.pids("cp313") if runs_still(pid)]
    assert yard.files("tmp") == []
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_after_ctrl_c_the_report_says_what_was_cancelled(
    yard: Yard, interrupt: Callable[[Event], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_project("hangs_once", yard.folder)
    real = Run._finish

    def finish(run: Run, outcome: Outcome) -> None:
        real(run, outcome)
        interrupt(JobFinished(outcome))

    monkeypatch.setattr(Run, "_finish", finish)
    monkeypatch.setattr("crosswheel.commands.wheels.look_around", lambda *_: tiny_facts(tiny_host(yard.folder)))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    stream = io.StringIO()
    options = {"source": str(project), "python": ["cp312", "cp313"], "engine": "cross"}
    assert run_verb("wheels", project, options, stream) == 130
    report = json.loads((project / "wheelhouse" / "report.json").read_text())
    assert [(job["python"], job["status"]) for job in report["jobs"]] == [("cp312", "built"), ("cp313", "cancelled")]
    assert report["totals"]["cancelled"] == 1
    assert "1 of 2 wheels" in stream.getvalue()
    assert "1 cancelled" in stream.getvalue()


# ---- nothing gets past the audit ------------------------------------------------------------------------------


def tampered(work: Work) -> Work:
    """As what an earlier build has left running might do it."""
    with zipfile.ZipFile(work.wheel, "a") as archive:
        archive.writestr("tiny/more.py", "import os\n")
    return work


def in_secret(work: Work) -> Work:
    """Its size, its times and its inode tell nothing of it."""
    content, before = bytearray(work.wheel.read_bytes()), work.wheel.stat()
    content[len(content) // 2] ^= 1
    work.wheel.write_bytes(content)
    os.utime(work.wheel, ns=(before.st_atime_ns, before.st_mtime_ns))
    return work


def test_a_wheel_that_is_changed_in_secret_after_its_audit_is_not_saved(yard: Yard) -> None:
    failure = only_outcome(yard.run("platform", steps=MAKE.after("test", in_secret))).failure
    assert failure
    assert (failure.kind, failure.message) == (
        "AuditFailed",
        f"{WHEELS[0]} is not saved: it was changed after its audit",
    )
    assert yard.files() == []


@pytest.mark.parametrize("name", ["audit", "keep", "test", "again"])
def test_a_step_that_changes_the_wheel_after_the_audit_is_refused_by_name(yard: Yard, name: str) -> None:
    failure = only_outcome(yard.run("platform", steps=MAKE.after(name, tampered))).failure
    assert failure
    assert (failure.kind, failure.step) == ("AuditFailed", "tampered")
    assert failure.message == f"the step tampered changed {WHEELS[0]} after its audit"
    assert failure.hint == "put the step before the audit: steps.MAKE.before('audit', tampered)"
    assert yard.files() == []


def test_a_step_that_lies_about_record_is_refused_by_the_audit(yard: Yard) -> None:
    failure = only_outcome(yard.run("platform", steps=MAKE.after("repair", tampered))).failure
    assert failure
    assert (failure.kind, failure.step) == ("AuditFailed", "audit")
    assert failure.message.startswith("W501 tiny/more.py: ")
    assert yard.files() == [f"rejected/{WHEELS[0]}"]


@pytest.mark.parametrize("name", ["audit", "save"])
def test_without_audit_or_save_nothing_begins(yard: Yard, name: str) -> None:
    with pytest.raises(errors.UsageError, match=f"the steps have no '{name}': no wheel would be saved"):
        yard.run("platform", steps=MAKE.without(name))
    assert yard.engine.opened == []


def test_a_wheel_without_an_audit_is_not_saved(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_audit(work: Work) -> Work:
        return work

    failure = only_outcome(yard.run("platform", steps=make_with(audit=no_audit))).failure
    assert failure
    assert failure.message == f"{WHEELS[0]} is not saved: it has not passed an audit"
    assert yard.files() == []


def test_a_wheel_whose_findings_got_lost_is_not_saved(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(work: Work) -> Work:
        return replace(audit(work), findings=())

    failure = only_outcome(yard.run("without_elf", steps=make_with(audit=forgetful))).failure
    assert failure
    assert failure.message.endswith("is not saved: it has not passed an audit")
    assert yard.files() == []


# ---- built twice ----------------------------------------------------------------------------------------------


def test_a_reproducible_wheel_is_said_to_be_one(yard: Yard) -> None:
    outcome = only_outcome(yard.run("platform", twice=True))
    assert (outcome.status, outcome.reproducible, outcome.differences) == ("built", True, ())
    assert [step.step for step in outcome.steps] == ["build", "repair", "audit", "again"]
    assert yard.engine.opened == ["cp311", "cp311"]
    assert [name for name in yard.files() if "again" in name] == []


def test_a_wheel_that_is_built_once_is_not_compared(yard: Yard) -> None:
    assert only_outcome(yard.run("dated")).reproducible is None


@pytest.mark.parametrize(
    ("project", "cause"),
    [
        ("dated", "a time stamp like __DATE__ or __TIME__"),
        ("placed", "it contains the build folder's path"),
        ("random", "a hexadecimal number, likely random"),
        ("unordered", "the same words in a different order: likely a set's (PYTHONHASHSEED)"),
    ],
)
def test_what_a_second_build_makes_otherwise_is_named_with_its_cause(project: str, cause: str, yard: Yard) -> None:
    outcome = only_outcome(yard.run(project, twice=True))
    assert (outcome.status, outcome.reproducible) == ("built", False)
    built, record = outcome.differences
    assert (built.member, built.kind) == ("built.py", "bytes")
    assert built.cause.startswith(cause)
    assert record.cause == "follows from the other members"
    assert outcome.wheel
    name = outcome.wheel.path.name
    assert yard.files() == [f"again/{name}", name]


def test_a_run_whose_wheels_differ_ends_with_a_code_of_its_own(yard: Yard) -> None:
    run = yard.run("random", twice=True)
    assert Report(run.plan, run.execute(), run.sdist, 0.0, 0.0).exit_code == 27


def test_the_journal_spares_no_build_that_is_to_be_compared(yard: Yard) -> None:
    for twice, status, opened in ((False, "built", 1), (False, "kept", 1), (True, "built", 3)):
        assert only_outcome(yard.run("platform", twice=twice)).status == status
        assert len(yard.engine.opened) == opened


def test_a_pure_wheel_is_compared_without_a_compiler(yard: Yard) -> None:
    assert only_outcome(yard.run("pure", twice=True)).reproducible
    assert (yard.engine.opened, len(yard.engine.opened_bare)) == ([], 2)
