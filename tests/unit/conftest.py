"""A plan and a report with one of everything, and a folder in which runs happen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from crosswheel.engines import ENGINES
from crosswheel.engines.repair_worker import RepairWorker
from crosswheel.model.job import (
    Failure,
    Finding,
    LeftOut,
    Outcome,
    Plan,
    Report,
    Sdist,
    StepTime,
)
from crosswheel.system import interpreters, local_host, namespace_support, pip_settings
from crosswheel.system.memo import Answers
from crosswheel.system.namespace_support import Allowed
from crosswheel.system.process import Processes
from report_samples import make_job, make_wheel
from tiny_projects import TinyEngine, Yard


@pytest.fixture
def sample_plan() -> Plan:
    arm = "this machine is x86_64"
    return Plan(
        source="demo-1.0.tar.gz",
        jobs=(
            make_job("cp312-manylinux2014_aarch64", version="3.12.9", refused=arm),
            make_job("cp313-manylinux2014_aarch64", version="3.13.2", refused=arm),
            make_job("cp313t-manylinux_2_28_aarch64", version="3.13.2", refused=arm),
            make_job("cp314-musllinux_1_2_x86_64", engine="native"),
        ),
        left_out=(
            LeftOut("cp310-manylinux2014_aarch64", "no CPython 3.10 on this machine", "uv python install 3.10"),
            LeftOut("cp310-musllinux_1_2_aarch64", "no CPython 3.10 on this machine", "uv python install 3.10"),
            LeftOut("cp39-manylinux2014_aarch64", "requires-python is >=3.10", asked_for=True),
        ),
    )


@pytest.fixture
def sample_report(sample_plan: Plan) -> Report:
    """One target built, one served by its wheel, one by a pure wheel, one failed."""
    built, reused, failed, pure = sample_plan.jobs
    wheel = make_wheel("cp312-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64")
    return Report(
        plan=sample_plan,
        outcomes=(
            Outcome(
                built,
                "built",
                wheel=wheel,
                steps=(
                    StepTime("build", 10.04, 1_700_000_001.5, 17.25),
                    StepTime("repair", 2.0, 1_700_000_011.54),
                    StepTime("audit", 0.26),
                ),
                started=1_700_000_001.0,
                ended=1_700_000_014.0,
                cpu_seconds=18.5,
                findings=(
                    Finding(
                        "extra-file",
                        "warning",
                        "the wheel holds a test folder",
                        member="tests/__init__.py",
                        found="tests/",
                        expected="demo/",
                        fix="exclude tests in the build backend",
                    ),
                    Finding("stripped", "note", "debug symbols are stripped"),
                ),
                log=Path("logs/cp312-manylinux2014_aarch64.log"),
            ),
            Outcome(
                reused,
                "reused",
                wheel=wheel,
                note="the abi3 wheel of cp312-manylinux2014_aarch64",
                waits_for=(built.target,),
                worker="arm1",
            ),
            Outcome(
                failed,
                "failed",
                steps=(StepTime("build", 3.21),),
                failure=Failure(
                    "BuildFailed",
                    7,
                    "build",
                    "the build backend failed\n  exit status 1",
                    "nox -s wheels -- --target cp313t-manylinux_2_28_aarch64",
                    ("src/demo.c:1:10: fatal error", "[bold]compilation[/bold] terminated."),
                ),
                log=Path("logs/cp313t-manylinux_2_28_aarch64.log"),
            ),
            Outcome(pure, "pure", wheel=make_wheel("py3-none-any", 2048), note="demo-1.0-py3-none-any.whl fits all"),
        ),
        sdist=Sdist(Path("dist/demo-1.0.tar.gz"), "demo", "1.0", "fedcba9876543210" * 4, ">=3.10"),
        started=1_700_000_000.0,
        seconds=41.23,
    )


@pytest.fixture(scope="session")
def repair_worker() -> Iterator[RepairWorker]:
    """One process for the repairs of all tests: to import auditwheel takes longer than most of them."""
    worker = RepairWorker()
    worker.start({"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    yield worker
    worker.end()


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repair_worker: RepairWorker) -> Yard:
    def join(worker: RepairWorker, _environ: Mapping[str, str]) -> None:
        worker._server = repair_worker._server

    def leave(worker: RepairWorker) -> None:
        worker._server = None

    monkeypatch.setattr(RepairWorker, "start", join)
    monkeypatch.setattr(RepairWorker, "end", leave)
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    engine = TinyEngine(tmp_path / "notes")
    monkeypatch.setitem(ENGINES, "cross", engine)
    return Yard(tmp_path, engine)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself, with its key."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("certificate") / "own.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", str(path)]
    made = subprocess.run([openssl, "req", "-x509", *key, *subject], capture_output=True, check=True, timeout=60)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path


@pytest.fixture(autouse=True, scope="session")
def _pip_is_asked_once() -> Iterator[None]:
    """Tests have caches of their own, so each of them would wait for pip to say the same about the same files."""
    ask, known = pip_settings._ask_pip, dict[tuple[str, ...], str]()

    def remembering(processes: Processes, environ: Mapping[str, str], answers: Answers) -> str:
        if environ.get("PIP_CONFIG_FILE", "/dev/null") != "/dev/null":
            return ask(processes, environ, answers)
        question = tuple(environ.get(name, "") for name in pip_settings._PIP_SEES)
        if question not in known:
            known[question] = ask(processes, environ, answers)
        return known[question]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pip_settings, "_ask_pip", remembering)
        yield


@pytest.fixture(autouse=True, scope="session")
def _interpreters_are_asked_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Likewise those of this machine; a test's own stand in its folder, or it counts who is asked."""
    ask, known, base = interpreters.facts_of, dict[tuple[Path, str], dict[str, Any]](), tmp_path_factory.getbasetemp()

    def remembering(path: Path, processes: Processes, environ: Mapping[str, str], answers: Answers) -> dict[str, Any]:
        if base in path.parents or type(processes) is not Processes:
            return ask(path, processes, environ, answers)
        question = (path, environ.get("LD_LIBRARY_PATH", ""))
        if question not in known:
            known[question] = ask(path, processes, environ, answers)
        return known[question]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreters, "facts_of", remembering)
        yield


@pytest.fixture(autouse=True, scope="session")
def _the_kernel_is_asked_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Likewise what namespaces it allows, on the disk where all folders of tests are."""
    ask, known, base = namespace_support.known_allowed, list[Allowed](), tmp_path_factory.getbasetemp()

    def remembering(processes: Processes, folder: Path, answers: Answers) -> Allowed:
        if base not in folder.parents:
            return ask(processes, folder, answers)
        if not known:
            known.append(ask(Processes(), base / "namespaces", answers))
        folder.mkdir(parents=True, exist_ok=True)  # as asking does
        return known[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_host, "known_allowed", remembering)
        yield
