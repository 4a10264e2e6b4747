"""An order: what a worker is asked to build; and a delivery: what it sends back. Both travel as plain data."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from crosswheel import __version__
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.errors import UsageError
from crosswheel.fleet.wire import plain
from crosswheel.formats.uncompiled import Uncompiled
from crosswheel.model.config import Config
from crosswheel.model.job import Failure, LaidOver, Outcome, Sdist
from crosswheel.model.keywords import keyword_of
from crosswheel.model.options import options_for
from crosswheel.model.targets import Target

Plain: TypeAlias = "dict[str, Any]"

# What each machine decides for itself, or what the order says in another way.
_NOT_SENT = {
    "source", "arch", "python", "policy", "engine", "engines", "output", "json", "dry-run", "jobs", "fail-fast",
    "docker-host", "container-host", "cache-size", "scheduler", "certificates", "sysroot", "ignore",
}  # fmt: skip

CONSTRAINTS = frozenset({"build_constraint", "test_constraint"})
"""The keyword arguments for files of constraints; their lines travel."""


@dataclass(frozen=True)
class Order:
    """The targets that one worker builds from one sdist, whose wheels may serve each other.

    `options` are keyword arguments of `crosswheel.wheels`. `resources` are what a worker must have. `key` is the same
    for the same order. `topic` is where the worker tells of its progress. `epoch` is the sdist's, in seconds.
    """

    sdist: str
    sha256: str
    epoch: int
    targets: tuple[Target, ...]
    engine: str
    options: Mapping[str, Any] = field(hash=False)
    resources: Mapping[str, float] = field(hash=False)
    topic: str = ""
    public: str = ""
    """NAME==VERSION, if the worker is to fetch the sdist from its index; otherwise the bytes travel."""

    @property
    def key(self) -> str:
        """A text that is the same for the same order, and different for each one that must be built afresh."""
        own = [self.sha256, self.epoch, plain(self.targets), self.engine, plain(self.options), self.public, __version__]
        salt = secrets.token_hex(8) if self.options.get("fresh") or self.options.get("twice") else ""
        digest = hashlib.sha256(json.dumps([own, salt], sort_keys=True).encode()).hexdigest()
        return f"crosswheel-{self.targets[0]}-{digest[:32]}"

    @property
    def keywords(self) -> Plain:
        """The keyword arguments of `crosswheel.wheels` for this order."""
        first = self.targets[0]
        return {
            **self.options,
            "arch": [str(first.arch)],
            "python": [str(target.python) for target in self.targets],
            "policy": str(first.policy),
            "engine": self.engine,
        }


@dataclass(frozen=True)
class Made:
    """What the journal keeps of a wheel beside the wheel: `seconds` and the facts that the audit needs."""

    target: Target
    seconds: float
    uncompiled: tuple[Uncompiled, ...] = ()
    requirements: tuple[LaidOver, ...] = ()


@dataclass(frozen=True)
class Delivery:
    """The end of an order on a worker: outcomes, and why there are no others.

    `files` maps names in the worker's output folder, which was `folder`, to their bytes. An order that was stopped has
    neither outcomes nor a failure.
    """

    outcomes: tuple[Outcome, ...] = ()
    made: tuple[Made, ...] = ()
    failure: Failure | None = None
    folder: str = ""
    worker: str = ""
    lacks_source: bool = False
    """Whether the worker's index does not have the public sdist with this sha256."""


def options_of(config: Config, target: Target) -> Plain:
    """The keyword arguments of `crosswheel.wheels` that a worker needs for a target. Raises UsageError.

    Nothing of this process's environment is among them: neither tokens nor addresses of indexes.
    """
    if config.build.sysroot(target.arch):
        raise UsageError(
            f"sysroot.{target.arch} names a folder of this machine, which workers do not have",
            hint="an image with the libraries: [tool.crosswheel] images; or build without --scheduler",
        )
    config = config.for_target(target)
    sent: Plain = {}
    for option in options_for("wheels"):
        value = _as_given(getattr(getattr(config, option.group), option.field))
        if option.name not in _NOT_SENT and value != option.default and value is not None:
            sent[keyword_of(option)] = _nested(value) if option.name == "images" else value
    known = {rule.code for rule in ALL_RULES}
    if ignored := {code: reason for code, reason in config.audit.ignore.items() if code in known}:
        sent["ignore"] = ignored
    return sent


def _as_given(value: Any) -> Any:
    """A parsed value as it stands in pyproject.toml."""
    if isinstance(value, Mapping):
        return {str(key): _as_given(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_as_given(item) for item in value]
    return value if isinstance(value, (str, int)) or value is None else str(value)


def _nested(images: Mapping[str, str]) -> Plain:
    """The names ``dockcross.PLATFORM`` as the table that they stand in."""
    table: Plain = {}
    for name, image in images.items():
        family, _, platform = name.rpartition(".")
        (table.setdefault(family, {}) if family else table)[platform] = image
    return table


def order_for(
    sdist: Sdist, targets: Sequence[Target], engine: str, config: Config, resources: Mapping[str, float]
) -> Order:
    """The order for targets that one worker builds together. Raises UsageError."""
    if sdist.tree:
        raise UsageError(
            "this configuration for cibuildwheel runs commands in the whole project folder, which workers do not have",
            hint="the same command without --scheduler, and with one --docker-host",
        )
    options = options_of(config, targets[0])
    topic = f"crosswheel-{sdist.sha256[:16]}"
    return Order(sdist.path.name, sdist.sha256, sdist.epoch, tuple(targets), engine, options, resources, topic)
