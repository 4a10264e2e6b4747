"""What the pipeline is tried with: projects that need no compiler, and an engine that needs no toolchain."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines.facts import Facts, Once
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import HostWorkspace, plain_workspace
from crosswheel.errors import CrosswheelError, EngineUnavailable
from crosswheel.formats.sdists import read_sdist
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Event, Interpreter, Job, Outcome, Plan, Sdist, deaf
from crosswheel.model.targets import PythonTag, Target, parse_architecture, parse_policy
from crosswheel.pipeline.run import Run
from crosswheel.steps import MAKE, Composition, Steps, Work, step
from crosswheel.steps.journal import journal_of
from crosswheel.steps.sequence import name_of
from crosswheel.system.local_host import LocalHost
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from crosswheel.system.process import Processes
from crosswheel.testing import tiny_elf

PATIENCE = 30  # seconds for a hook to begin, on a machine that is busy with other things
PROJECTS = Path(__file__).parent / "projects"
PYTHONS = (PythonTag(11), PythonTag(12), PythonTag(13))
WHEELS = [f"tiny-1.0-cp3{m}-cp3{m}-manylinux2014_aarch64.manylinux_2_17_aarch64.whl" for m in (11, 12, 13)]
TARGETS = [Target(tag, parse_architecture("aarch64"), parse_policy("manylinux2014")) for tag in PYTHONS]
PKG_INFO = b"Metadata-Version: 2.2\nName: tiny\nVersion: 1.0\nRequires-Python: >=3.10\n"


def tiny_project(name: str, folder: Path) -> Path:
    """A copy of tests/projects/<name>, with the backend that all of them share in its tree."""
    made = shutil.copytree(PROJECTS / name, folder / name, dirs_exist_ok=True)
    shutil.copy(PROJECTS / "tiny_backend.py", made)
    return made


def tiny_sdist(name: str, folder: Path) -> Sdist:
    project = tiny_project(name, folder)
    (project / "PKG-INFO").write_bytes(PKG_INFO)
    return read_sdist(tar_of({path.name: path.read_bytes() for path in project.iterdir()}, folder))


def tar_of(members: dict[str, bytes], folder: Path, *, top: str = "tiny-1.0/", name: str = "tiny-1.0.tar.gz") -> Path:
    """An archive with these members in its top folder."""
    # Without the time of day: two that are made of the same members are the same.
    with gzip.GzipFile(folder / name, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for member, data in members.items():
            entry = tarfile.TarInfo(f"{top}{member}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder / name


@dataclass(frozen=True)
class TinyHost(LocalHost):
    """Makes environments without uv, which takes longer than most of what runs in them."""

    def make_environment(self, python: Path, folder: Path, log: Path | None, deadline: float | None = None) -> Path:
        """As uv does: a link, and the file that tells CPython where its standard library is (PEP 405)."""
        made = folder / "bin" / "python"
        for place in (made.parent, folder / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"):
            place.mkdir(parents=True)
        made.symlink_to(python.resolve())
        (folder / "pyvenv.cfg").write_text(f"home = {python.resolve().parent}\n")
        return made


def tiny_host(folder: Path) -> TinyHost:
    """This machine, offline, with one interpreter in the role of three."""
    here = Path(sys.executable)
    return TinyHost(
        environ={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        cache=folder / "cache",
        processes=Processes(),
        index=Index(PipSettings(), folder / "cache", offline=True),
        interpreters={tag: Interpreter(tag, f"{tag.version}.0", here) for tag in PYTHONS},
        machine="x86_64",
        cpus=2,
    )


def tiny_facts(host: LocalHost, docker: DockerHost | None = None) -> Facts:
    """Where containers are not, unless an engine is given."""
    none = EngineUnavailable("no Docker Engine answers there")
    return Facts(host, docker or none, once=Once({} if docker else {"containers": none}))


@dataclass(frozen=True)
class _TinyWorkspace(HostWorkspace):
    """Knows by itself that the tiny backend requires nothing, which a Python would have to be started for."""

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        *_, hook, folder = cmd
        if hook == "get_requires_for_build_wheel":
            Path(folder, "output.json").write_text('{"return_val": []}')
        else:
            super().run_hook(cmd, cwd, extra_environ)


@dataclass(frozen=True)
class _Troubled(HostWorkspace):
    """Every hook ends with an error."""

    trouble: CrosswheelError = field(default_factory=lambda: CrosswheelError("trouble"))

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        raise self.trouble


@dataclass
class TinyEngine:
    """Opens plain workspaces whose environment tells the tiny backend of its target, and counts them.

    With a `trouble`, that is how their hooks end.
    """

    notes: Path
    trouble: CrosswheelError | None = None
    family: Family | None = None
    prepared: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    opened_bare: list[str] = field(default_factory=list)
    following: list[str] = field(default_factory=list)
    toolchain: dict[str, str] = field(default_factory=dict)

    def offer(self, target: Target, config: Config, facts: Facts) -> Interpreter | str:
        return facts.host.interpreters.get(target.python, "no interpreter")

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:
        self.prepared.append(f"{target.platform} {'c++' if cxx else 'c'}")

    @contextmanager
    def open(
        self, job: Job, sdist: Sdist, config: Config, services: Services, folder: Path, log: Path, *, bare: bool = False
    ) -> Iterator[HostWorkspace]:
        assert job.interpreter
        (self.opened_bare if bare else self.opened).append(str(job.target.python))
        self.following.append(str(job.following.target.python) if job.following else "")
        workspace = plain_workspace(services.facts.host, job.interpreter, folder, log, config.build.timeout)
        library = folder / "library"
        versions = {"libc.so.6": ["GLIBC_2.17"]}
        library.write_bytes(tiny_elf(exports=["PyInit_fast"], needed=["libc.so.6"], versions_needed=versions))
        variables = {
            "TINY_PYTHON": str(job.target.python),
            "TINY_PLATFORM": f"linux_{job.target.arch}",
            "TINY_SUFFIX": job.target.ext_suffix,
            "TINY_LIBRARY": str(library),
            "TINY_NOTES": str(self.notes),
        }
        # Without a sandbox, hooks may write notes, and know their processes by the numbers that tests know them by.
        own = {"environ": {**workspace.environ, **variables}, "sandbox": None}
        tiny = _TinyWorkspace(**{**vars(workspace), **own})
        yield _Troubled(**vars(tiny), trouble=self.trouble) if self.trouble else tiny


@dataclass
class Yard:
    """A folder in which runs happen."""

    folder: Path
    engine: TinyEngine

    def run(
        self,
        project: str,
        *,
        pythons: int = 1,
        engines: Sequence[str] = ("cross",),
        docker: DockerHost | None = None,
        react: Callable[[Event], None] | None = None,
        steps: Steps[Work] = MAKE,
        **options: Any,
    ) -> Run:
        """With jobs on the first of the engines, and the others to fall back on."""
        sdist = tiny_sdist(project, self.folder)
        options = {name.replace("_", "-"): value for name, value in options.items()}
        config = load_config(self.folder, {"output": "wheelhouse", **options})
        host = tiny_host(self.folder)
        jobs = []
        for target in TARGETS[:pythons]:
            first, *others = (Job(target, engine, host.interpreters[target.python]) for engine in engines)
            jobs.append(replace(first, fallbacks=tuple(others)))
        services = Services(tiny_facts(host, docker), react or deaf)
        journal = journal_of(sdist.name, host, services.listener)
        return Run(Plan("tiny", tuple(jobs)), sdist, config, services, journal, Composition(steps))

    def files(self, folder: str = "wheelhouse") -> list[str]:
        """Every file there, hidden ones too, but for logs."""
        root = self.folder / folder
        return sorted(
            str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.suffix != ".log"
        )

    def pids(self, python: str) -> list[int]:
        """The processes that a project of the hanging kind has left a note of, once it has."""
        note = self.folder / "notes" / f"{python}.pids"
        limit = time.monotonic() + PATIENCE
        while not note.exists():
            assert time.monotonic() < limit, "the hook never began"
            time.sleep(0.02)
        return [int(word) for word in note.read_text().split()]


def make_with(**steps: Callable[[Work], Work]) -> Steps[Work]:
    """Our steps, with others in the places of those that are named."""
    named = {name: step(name=name)(function) for name, function in steps.items()}
    return Steps(named.get(name_of(ours), ours) for ours in MAKE)


def only_outcome(run: Run) -> Outcome:
    (outcome,) = run.execute()
    return outcome


def statuses(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [outcome.status for outcome in outcomes]
