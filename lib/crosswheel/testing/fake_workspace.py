"""A workspace that runs nothing and notes what it was asked to run, and a work in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.engines import ENGINES
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.errors import EngineUnavailable
from crosswheel.formats.packages import Package
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Job, LaidOver, Sdist, Usage, deaf
from crosswheel.model.targets import parse_target
from crosswheel.steps import MAKE, Composition, Work
from crosswheel.steps.journal import journal_of
from crosswheel.steps.wheelhouse import OutputFolder
from crosswheel.system.local_host import LocalHost
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from crosswheel.system.process import Processes


@dataclass(frozen=True)
class FakeWorkspace:
    """`ran` has the commands in order, `installed` the requirements; `react` does what a command would have done."""

    host: LocalHost
    root: Path
    log: Path
    react: Callable[[Sequence[str]], None] = lambda _command: None
    ran: list[tuple[str, ...]] = field(default_factory=list)
    installed: list[str] = field(default_factory=list)
    python: Path = Path("python")
    deadline: float | None = None
    meson_options: tuple[str, ...] = ()
    hooks: Path | None = None
    asked_for_compiler: bool = False

    @property
    def laid_over(self) -> tuple[LaidOver, ...]:
        return ()

    def put(self, path: Path) -> None:
        """Nothing: it is here."""

    def get(self, folder: Path) -> None:
        """Nothing: it is here."""

    def install(self, requirements: Iterable[str], constraints: Sequence[str] = ()) -> None:  # noqa: ARG002
        self.installed.extend(requirements)

    def run_hook(
        self,
        cmd: Sequence[str],
        cwd: str | None = None,  # noqa: ARG002 - the signature of pyproject-hooks
        extra_environ: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> None:
        self.ran.append(tuple(cmd))
        self.react(cmd)

    def interact(self, cmd: Sequence[str], cwd: Path) -> int:
        self.run_hook(cmd, str(cwd))
        return 0

    def libraries(self, names: Iterable[str]) -> Mapping[str, Package]:  # noqa: ARG002
        return {}

    def before_all(self, command: str, source: Path) -> None:
        self.run_hook(["sh", "-c", command], str(source))

    def usage(self) -> Usage:
        return Usage()


def tiny_work(folder: Path, wheel: Path | None = None, target: str = "cp313-manylinux2014_aarch64") -> Work:
    """The work of a job for `target` with that wheel, in a FakeWorkspace below `folder`; no Docker host, no test.

    The configuration is that of [tool.crosswheel] in the folder's pyproject.toml.
    """
    host = LocalHost(
        environ={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        cache=folder / "cache",
        processes=Processes(),
        index=Index(PipSettings(), folder / "cache", offline=True),
        interpreters={},
        machine="x86_64",
        cpus=1,
    )
    place, log = folder / "work", folder / "work" / "log"
    place.mkdir(parents=True, exist_ok=True)
    log.touch()
    return Work(
        job=Job(parse_target(target), next(iter(ENGINES))),
        sdist=Sdist(folder / "tiny-1.0.tar.gz", "tiny", "1.0", ""),
        config=load_config(folder, {"test": "never"}),
        services=Services(Facts(host, EngineUnavailable("tiny_work has no Docker host"))),
        composition=Composition(MAKE),
        journal=journal_of("tiny", host, deaf),
        output=OutputFolder(folder / "wheelhouse"),
        folder=place,
        log=log,
        opened=FakeWorkspace(host, place, log),
        file=wheel,
    )
