"""Groups the targets of a project into CI jobs: one for each engine and architecture, on the runner that suits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crosswheel.errors import UsageError
from crosswheel.model.config import Config
from crosswheel.model.targets import PythonTag, Target

HOST = "x86_64"
"""The architecture of the runners for all that has no runner of its own."""


@dataclass(frozen=True)
class Group:
    """One CI job: `runner` is the label of its machine, `pythons` are in order.

    `chosen` is whether `engine` and `pythons` are handed to `wheels`; otherwise the project's configuration for
    cibuildwheel decides there.
    """

    arch: str
    engine: str
    runner: str
    pythons: tuple[PythonTag, ...]
    chosen: bool = True

    @property
    def name(self) -> str:
        return f"{self.arch}-{self.engine}"

    @property
    def emulates(self) -> bool:
        """Whether its machine needs emulators, at least to test the wheels."""
        return self.engine != "native"

    @property
    def python(self) -> str:
        """The value of ``--python``."""
        return ",".join(map(str, self.pythons))


def group(
    targets: Iterable[Target], config: Config, ladder: Sequence[str], runners: Mapping[str, str]
) -> tuple[Group, ...]:
    """The CI jobs for these targets, in their order; `ladder` has the engines in the order in which they are tried.

    The engine depends on the configuration and on `runners` (architecture -> label), and never on this machine.
    Raises UsageError if an engine was asked for that no runner can offer.
    """
    members: dict[tuple[str, str], list[PythonTag]] = {}
    first: dict[str, str] = {}
    for target in targets:
        arch, engine = str(target.arch), _engine(target, config.for_target(target), ladder, runners)
        if config.adoption:  # no flag could split an architecture
            engine = first.setdefault(arch, engine)
        members.setdefault((arch, engine), []).append(target.python)
    return tuple(
        Group(arch, engine, _runner(arch, engine, runners), tuple(sorted(set(pythons))), config.adoption is None)
        for (arch, engine), pythons in members.items()
    )


def _engine(target: Target, config: Config, ladder: Sequence[str], runners: Mapping[str, str]) -> str:
    """The engine that was asked for, or the first one that suits."""
    asked = config.build.engine_for(target)
    if asked != "auto":
        return asked
    # `cross` has no system into which these commands could install packages; an image of dockcross is for who names it.
    commands = config.build.before_all or config.build.before_build or config.builds_in_containers
    unsuitable = {"dockcross", *(["cross"] if commands else []), *([] if str(target.arch) in runners else ["native"])}
    return next(engine for engine in ladder if engine not in unsuitable)


def _runner(arch: str, engine: str, runners: Mapping[str, str]) -> str:
    wanted = arch if engine == "native" else HOST
    if wanted not in runners:
        why = f"{arch} is to be built by the engine {engine}, which needs a runner of {wanted}"
        raise UsageError(
            f"{why}, and there is none", hint=f'runners.{wanted} = "LABEL" in [tool.crosswheel.ci], or another engine'
        )
    return runners[wanted]
