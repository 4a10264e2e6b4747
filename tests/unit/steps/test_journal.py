"""What is built is not built again, whatever happened to the run that built it, and to what it left."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crosswheel import errors
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running
from crosswheel.engines import ENGINES
from crosswheel.engines.workspace import HostWorkspace
from crosswheel.model.job import Event, Finding, LaidOver, Note, Outcome
from crosswheel.steps import MAKE, Work, audit, journal
from crosswheel.steps.journal import Journal, JournalEntry
from crosswheel.system.locks import remove
from crosswheel.upkeep.caches import goes, local_holdings, remove_local
from killed_run import POINTS
from tiny_projects import PATIENCE, TARGETS, WHEELS, TinyEngine, Yard, make_with, only_outcome, statuses

TESTS = Path(__file__).parents[2]


def entries(yard: Yard) -> list[Path]:
    return sorted((yard.folder / "cache" / "journal" / "tiny").glob("*"))


def only_entry(yard: Yard) -> Path:
    (entry,) = entries(yard)
    return entry


def bytes_of(outcome: Outcome) -> bytes:
    assert outcome.wheel
    return outcome.wheel.path.read_bytes()


# ---- found again ----------------------------------------------------------------------------------------------


def test_what_an_earlier_run_built_is_served_with_the_same_bytes_and_its_log(yard: Yard) -> None:
    first = only_outcome(yard.run("for_any_python"))
    made, log = bytes_of(first), (first.log or Path()).read_text()
    shutil.rmtree(yard.folder / "wheelhouse")
    again = only_outcome(yard.run("for_any_python"))
    assert (first.status, again.status) == ("built", "kept")
    # No two builds of this project are the same to the byte.
    assert bytes_of(again) == made
    assert (again.log or Path()).read_text() == log
    assert "compiling fast" in log
    assert again.note.startswith("built by an earlier run, in ")
    assert [step.step for step in again.steps] == ["audit"]
    assert (len(yard.engine.opened), len(yard.engine.prepared)) == (1, 1)


def test_a_pure_wheel_is_found_again_too(yard: Yard) -> None:
    yard.run("pure", pythons=3).execute()
    outcomes = yard.run("pure", pythons=3).execute()
    assert statuses(outcomes) == ["pure"] * 3
    assert yard.engine.opened_bare == ["cp313"]


def test_a_wheel_of_the_stable_abi_is_found_again_and_serves_the_others(yard: Yard) -> None:
    yard.run("stable_abi", pythons=3).execute()
    outcomes = yard.run("stable_abi", pythons=3).execute()
    assert statuses(outcomes) == ["kept", "reused", "reused"]
    assert yard.engine.opened == ["cp311"]


def test_what_failed_is_not_kept(yard: Yard) -> None:
    for _ in range(2):
        assert only_outcome(yard.run("without_elf")).status == "failed"
    assert (len(yard.engine.opened), entries(yard)) == (2, [])


def test_fresh_uses_no_entry_and_puts_its_own_in_its_place(yard: Yard) -> None:
    first = bytes_of(only_outcome(yard.run("for_any_python")))
    fresh = only_outcome(yard.run("for_any_python", fresh=True))
    assert fresh.status == "built"
    assert bytes_of(fresh) != first
    last = only_outcome(yard.run("for_any_python"))
    assert last.status == "kept"
    assert bytes_of(last) == bytes_of(fresh)


def test_the_wheel_of_the_engine_that_did_it_in_the_end_is_found(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = {name: TinyEngine(yard.folder / "notes") for name in ("accelerated", "emulated")}
    for name, engine in engines.items():
        monkeypatch.setitem(ENGINES, name, engine)
    engines["accelerated"].trouble = errors.BuildFailed("it broke")
    assert only_outcome(yard.run("platform", engines=("accelerated", "emulated"))).status == "built"
    again = only_outcome(yard.run("platform", engines=("accelerated", "emulated")))
    assert (again.status, again.job.engine) == ("kept", "emulated")
    assert again.job.reason == "an earlier run built it with this engine"
    assert {name: len(engine.opened) for name, engine in engines.items()} == {"accelerated": 1, "emulated": 1}


# ---- damaged --------------------------------------------------------------------------------------------------


def flip(entry: Path) -> None:
    (wheel,) = entry.glob("*.whl")
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)


def cut(entry: Path) -> None:
    path = entry / "entry.json"
    path.write_bytes(path.read_bytes()[:40])


def write(content: bytes) -> Callable[[Path], None]:
    def overwrite(entry: Path) -> None:
        (entry / "entry.json").write_bytes(content)

    return overwrite


def lose(pattern: str) -> Callable[[Path], None]:
    def remove(entry: Path) -> None:
        for path in entry.glob(pattern):
            path.unlink()

    return remove


def change(**values: Any) -> Callable[[Path], None]:
    def rewrite(entry: Path) -> None:
        path = entry / "entry.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return rewrite


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a flipped bit": flip,
    "a missing wheel": lose("*.whl"),
    "a missing log": lose("log"),
    "a missing entry.json": lose("entry.json"),
    "a cut entry.json": cut,
    "another schema": change(schema=99),
    "another shape": change(seconds="soon"),
    "no target": change(target="cp311-vms"),
    "a list": write(b"[]"),
    "bytes": write(b"\xff\x00"),
    "a wheel elsewhere": change(wheel="../../../wheelhouse/" + WHEELS[0]),
    "an empty folder": lose("*"),
}


def test_a_damaged_entry_is_noticed_removed_and_made_anew(yard: Yard) -> None:
    """Each damage is done to the entry that was made anew after the one before."""
    yard.run("platform").execute()
    for name, damage in DAMAGES.items():
        damage(only_entry(yard))
        events: list[Event] = []
        assert only_outcome(yard.run("platform", react=events.append)).status == "built", name
        key = only_entry(yard).name
        notes = [event.text for event in events if isinstance(event, Note)]
        assert notes == [f"a journal entry is damaged: its wheel is built again: {key[:12]}"], name
        assert only_outcome(yard.run("platform")).status == "kept", name


def test_a_full_disk_costs_the_entry_and_nothing_else(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    copyfile = shutil.copyfile

    def full(source: Path, to: Path, **how: Any) -> Any:
        if ".making-" in str(to):
            to.write_bytes(source.read_bytes()[:100])
            raise OSError(errno.ENOSPC, "No space left on device", str(to))
        return copyfile(source, to, **how)

    monkeypatch.setattr(shutil, "copyfile", full)
    events: list[Event] = []
    outcome = only_outcome(yard.run("platform", react=events.append))
    assert (outcome.status, yard.files()) == ("built", WHEELS[:1])
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes == [f"{WHEELS[0]} was not kept for later runs: No space left on device"]
    assert entries(yard) == []


def test_a_full_disk_leaves_the_entry_of_another_wheel_out_of_it(
    yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one has passed its test, and the new one has not."""

    def full(_draft: Path, _place: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run_tested(yard, "for_any_python")
    monkeypatch.setattr("crosswheel.steps.journal.put", full)
    assert run_tested(yard, "for_any_python", fresh=True).tested_before is False
    assert len(tested) == 2
    assert len(entries(yard)) == 1


# ---- killed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["build", "repair", "audit", *POINTS])
def test_a_run_that_was_killed_is_taken_up_where_it_stopped(yard: Yard, point: str) -> None:
    environ = {**os.environ, "TMPDIR": str(yard.folder / "tmp"), "PYTHONPATH": str(TESTS)}
    command = [sys.executable, str(TESTS / "killed_run.py"), str(yard.folder), point]
    with subprocess.Popen(command, env=environ) as killed:
        limit = time.monotonic() + PATIENCE
        while not (yard.folder / "notes" / "reached").exists():
            assert killed.poll() is None, "the run ended by itself"
            assert time.monotonic() < limit, "the run never came to that point"
            time.sleep(0.02)
        killed.kill()
    events: list[Event] = []
    outcomes = yard.run("platform", pythons=3, react=events.append).execute()
    second = "kept" if point == "saving" else "built"
    assert statuses(outcomes) == ["kept", second, "built"]
    assert not [event for event in events if isinstance(event, Note)]
    assert [name for name in yard.files() if not name.startswith(".")] == WHEELS
    assert yard.files("tmp") == []
    assert len([entry for entry in entries(yard) if not entry.name.startswith(".")]) == 3
    # What it left half made is in nobody's way, and goes with the next trim.
    holdings = local_holdings(yard.folder / "cache")
    for holding in goes(holdings, sum(holding.size for holding in holdings)):
        assert (holding.kind, remove_local(holding)) == ("remains", True)
    assert len(entries(yard)) == 3


def test_ctrl_c_is_taken_up_likewise(yard: Yard) -> None:
    def stop_after_one(_event: Event) -> None:
        if run.outcomes:
            run.host.processes.stop()

    run = yard.run("platform", pythons=3, jobs=1, react=stop_after_one)
    assert statuses(run.execute()) == ["built", "cancelled", "cancelled"]
    assert statuses(yard.run("platform", pythons=3).execute()) == ["kept", "built", "built"]


# ---- at once --------------------------------------------------------------------------------------------------


def test_two_runs_at_once_share_a_journal_and_leave_it_whole(yard: Yard) -> None:
    """Each in folders of its own: the second finds the first one's taken."""
    runs = [yard.run("platform", pythons=3, output=f"wheelhouse-{number}") for number in (1, 2)]
    outcomes: dict[int, tuple[Outcome, ...]] = {}
    threads = [
        threading.Thread(target=lambda at=at, run=run: outcomes.update({at: run.execute()}))
        for at, run in enumerate(runs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = [outcome for done in outcomes.values() for outcome in done]
    assert not [outcome.failure for outcome in ended if outcome.failure]
    assert {outcome.status for outcome in ended} <= {"built", "kept"}
    assert yard.files("wheelhouse-1") == yard.files("wheelhouse-2") == WHEELS
    assert len(entries(yard)) == 3
    assert yard.files("tmp") == []
    assert statuses(yard.run("platform", pythons=3).execute()) == ["kept"] * 3


def test_an_entry_that_another_run_puts_there_at_the_same_moment_is_replaced(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands where ours is to be renamed to, though that was cleared a moment ago."""
    yard.run("for_any_python").execute()
    removed: list[Path] = []

    def remove_at_last(place: Path) -> None:
        removed.append(place)
        if len(removed) > 1:
            remove(place)

    monkeypatch.setattr("crosswheel.system.locks.remove", remove_at_last)
    events: list[Event] = []
    ours = bytes_of(only_outcome(yard.run("for_any_python", fresh=True, react=events.append)))
    assert len(removed) == 2
    assert not [event for event in events if isinstance(event, Note)]
    assert next(only_entry(yard).glob("*.whl")).read_bytes() == ours


def test_an_entry_that_another_run_puts_there_while_this_one_looks_is_not_taken_for_damaged(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.run("platform").execute()
    place = only_entry(yard)
    read = journal._read
    seen: list[Path] = []

    def replaced(folder: Path) -> JournalEntry | None:
        if not seen:
            seen.append(folder)
            shutil.copytree(folder, folder.with_name("theirs"))
            remove(folder)
            made = read(folder)
            folder.with_name("theirs").rename(folder)
            return made
        return read(folder)

    monkeypatch.setattr(journal, "_read", replaced)
    assert yard.run("platform").journal.find(place.name) is None
    assert seen == [place]
    assert yard.run("platform").journal.find(place.name) is not None


def test_an_entry_that_a_run_beside_replaces_is_used_to_the_end(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.run("platform").execute()

    def gone(work: Work) -> Work:
        remove(only_entry(yard))
        return audit(work)

    outcome = only_outcome(yard.run("platform", steps=make_with(audit=gone)))
    assert (outcome.status, yard.files()) == ("kept", WHEELS[:1])


def test_an_entry_that_is_gone_when_it_is_opened_is_built_again(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.run("platform").execute()
    real, calls = Journal.find, []

    def find(journal: Journal, key: str) -> JournalEntry | None:
        made = real(journal, key)
        calls.append(made)
        # The first look is the plan's.
        if made and len(calls) == 2:
            remove(made.folder)
        return made

    monkeypatch.setattr(Journal, "find", find)
    assert only_outcome(yard.run("platform")).status == "built"
    assert calls[0] == calls[1] is not None


def test_two_runs_of_one_process_see_that_the_sysroot_has_changed(yard: Yard) -> None:
    """As two sessions of one nox call do."""
    sysroot = yard.folder / "sysroot"
    sysroot.mkdir()
    configured(yard, 'sysroot = {aarch64 = "sysroot"}')
    statuses = [only_outcome(yard.run("platform")).status for _ in range(2)]
    (sysroot / "libz.so").write_bytes(b"new")
    assert [*statuses, only_outcome(yard.run("platform")).status] == ["built", "kept", "built"]


# ---- steps of a project's own -----------------------------------------------------------------------------------


def test_a_wheel_made_without_an_own_step_is_not_served_where_it_is_asked_for(yard: Yard) -> None:
    def sign(work: Work) -> Work:
        return work

    yard.run("platform").execute()
    signed = MAKE.after("repair", sign)
    assert [only_outcome(yard.run("platform", steps=steps)).status for steps in (signed, signed, MAKE)] == [
        "built", "kept", "kept",
    ]  # fmt: skip


def test_a_step_behind_the_audit_runs_for_a_kept_wheel_too(yard: Yard) -> None:
    seen: list[str] = []

    def tell(work: Work) -> Work:
        seen.append(work.wheel.name)
        return work

    outcomes = [only_outcome(yard.run("platform", steps=MAKE.after("save", tell))) for _ in range(2)]
    assert [[step.step for step in outcome.steps] for outcome in outcomes] == [
        ["build", "repair", "audit", "tell"],
        ["audit", "tell"],
    ]
    assert seen == WHEELS[:1] * 2


def test_without_find_and_keep_the_journal_stays_empty(yard: Yard) -> None:
    steps = MAKE.without("find", "keep")
    assert [only_outcome(yard.run("platform", steps=steps)).status for _ in range(2)] == ["built", "built"]
    assert not list((yard.folder / "cache" / "journal").glob("*/*"))


# ---- audited again, tested once -------------------------------------------------------------------------------


def test_what_the_audit_has_learnt_since_refuses_a_kept_wheel(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.run("platform").execute()

    def audit(work: Work) -> Work:
        return replace(work, findings=(Finding("W999", "error", "not any more"),))

    outcome = only_outcome(yard.run("platform", steps=make_with(audit=audit)))
    assert outcome.failure
    assert (outcome.status, outcome.failure.kind, outcome.failure.step) == ("failed", "AuditFailed", "audit")
    assert yard.files() == [f"rejected/{WHEELS[0]}", WHEELS[0]]


IMAGES = {"policy": "sha256:1"}


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Wheels that went through the last step, with a Docker host that has the images in IMAGES."""
    seen: list[str] = []

    def test(work: Work) -> None:
        seen.append(work.wheel.name)

    monkeypatch.setattr(sys.modules["crosswheel.steps.test"], "test_in_images", test)
    monkeypatch.setattr("crosswheel.engines.services.ensure_toolbox", lambda *_, **_options: None)
    docker = "crosswheel.containers.docker_containers"
    monkeypatch.setattr(f"{docker}.ensure_image", lambda *_, **_options: None)
    monkeypatch.setattr(f"{docker}.find_image", lambda *_: SimpleNamespace(id=IMAGES["policy"]))
    return seen


def run_tested(yard: Yard, project: str = "platform", **options: Any) -> Outcome:
    docker = DockerHost(None, "unix:///nowhere", "29.0", "x86_64", cpus=2, memory=2**30)  # type: ignore[arg-type]
    run = yard.run(project, docker=docker, **options)
    run.services.facts.once.known["running", TARGETS[0].arch] = Running(TARGETS[0].arch, natively=False)
    return only_outcome(run)


def test_a_test_that_a_wheel_has_passed_is_not_repeated(yard: Yard, tested: list[str]) -> None:
    outcomes = [run_tested(yard) for _ in range(3)]
    assert [outcome.status for outcome in outcomes] == ["built", "kept", "kept"]
    assert [outcome.tested_before for outcome in outcomes] == [False, True, True]
    assert [outcome.untested for outcome in outcomes] == [""] * 3
    assert len(tested) == 1


def configured(yard: Yard, text: str) -> None:
    (yard.folder / "pyproject.toml").write_text(f"[tool.crosswheel]\n{text}\n")


@pytest.mark.parametrize(
    "text", ['test-command = "python -m tiny"', 'test-requires = ["pytest"]', 'test-extras = ["fast"]']
)
def test_another_test_is_another_matter(yard: Yard, tested: list[str], text: str) -> None:
    run_tested(yard)
    configured(yard, text)
    assert (run_tested(yard).status, len(tested)) == ("kept", 2)
    assert (run_tested(yard).status, len(tested)) == ("kept", 2)


def test_a_wheel_is_tested_again_in_another_image(
    yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_tested(yard)
    monkeypatch.setitem(IMAGES, "policy", "sha256:2")
    assert (run_tested(yard).status, len(tested)) == ("kept", 2)


def test_fresh_tests_again(yard: Yard, tested: list[str]) -> None:
    run_tested(yard)
    run_tested(yard, fresh=True)
    assert len(tested) == 2


def test_a_test_that_failed_is_repeated(yard: Yard, tested: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_work: Work) -> None:
        raise errors.TestFailed("import tiny failed")

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["crosswheel.steps.test"], "test_in_images", fail)
        assert run_tested(yard).status == "failed"
    assert (run_tested(yard).status, len(tested)) == ("kept", 1)


# ---- build requirements of the target ---------------------------------------------------------------------------


@pytest.mark.parametrize("passing", [False, True])
def test_a_requirement_that_was_not_the_targets_is_told_again_and_tried_again_if_it_may_be_had(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, *, passing: bool
) -> None:
    lacking = LaidOver("numpy", "2.2.6", lacking="the index has no wheel for aarch64 (glibc)", passing=passing)
    monkeypatch.setattr(HostWorkspace, "laid_over", (LaidOver("pyarrow", "26.0", "a.whl", "12ab"), lacking))
    first, again = yard.run("platform").execute(), yard.run("platform").execute()
    assert {outcome.status for outcome in again} == {"built" if passing else "kept"}
    for outcome in (*first, *again):
        (finding,) = (finding for finding in outcome.findings if finding.rule == "W606")
        assert (finding.level, finding.member, finding.found) == ("note", "numpy 2.2.6", lacking.lacking)
