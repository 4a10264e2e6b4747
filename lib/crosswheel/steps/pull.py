"""The step `pull`: the Docker host has the images that wheels are built in; or this machine has them, unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from crosswheel.containers.images import Image, ensure_image, find_image
from crosswheel.errors import CrosswheelError
from crosswheel.images.pins import Family, image_arch, pinned_image
from crosswheel.images.store import Silent, UnpackedImage, ensure_unpacked, find_unpacked
from crosswheel.model.config import Config
from crosswheel.model.job import Listener
from crosswheel.model.targets import Architecture, Target, oldest_policy, python_tags
from crosswheel.steps.machine import Machine, PulledImage


def pull(machine: Machine) -> Machine:
    """Fetch one image after the other, and check each; a failed one does not stop the others. Raises nothing."""
    store = _OnEngine(machine)
    images = tuple(
        _pulled(target, machine.config, store, machine.config.family_for(target)) for target in _targets(machine.config)
    )
    return replace(machine, images=images)


def pull_unpacked(
    cache: Path, config: Config, listener: Listener, environ: Mapping[str, str]
) -> tuple[PulledImage, ...]:
    """Fetch and unpack pypa's images into the cache; a failed one does not stop the others. Raises nothing."""
    store = _InCache(cache, config, listener, environ)
    return tuple(_pulled(target, config, store, "pypa") for target in _targets(config))


def _targets(config: Config) -> Iterator[Target]:
    """One target per architecture. An image has every CPython, so any Python will do."""
    for arch in config.build.arch:
        yield Target(python_tags()[0], arch, config.build.policy or oldest_policy(arch))


class _Store(Protocol):
    """Where images are fetched to."""

    def find(self, reference: str, arch: Architecture) -> Image | UnpackedImage | None: ...

    def fetch(self, reference: str, arch: Architecture) -> Image | UnpackedImage: ...


def _pulled(target: Target, config: Config, store: _Store, family: Family) -> PulledImage:
    row = PulledImage(f"{target.policy}_{target.arch}", image_arch(target, family))
    try:
        row = replace(row, reference=config.image_for(target, family) or pinned_image(target, family).reference)
        image = store.find(row.reference, row.arch)
        if image or config.output.dry_run:
            return replace(row, image=image, there=image is not None)
        return replace(row, image=store.fetch(row.reference, row.arch))
    except CrosswheelError as error:
        return replace(row, error=error)


@dataclass(frozen=True)
class _OnEngine:
    machine: Machine

    def find(self, reference: str, arch: Architecture) -> Image | None:
        return find_image(self.machine.host, reference, arch, self.machine.config.containers.mirrors)

    def fetch(self, reference: str, arch: Architecture) -> Image:
        config = self.machine.config
        return ensure_image(
            self.machine.host,
            reference,
            arch,
            mirrors=config.containers.mirrors,
            offline=config.build.offline,
            listener=self.machine.listener,
        )


@dataclass(frozen=True)
class _InCache:
    cache: Path
    config: Config
    listener: Listener
    environ: Mapping[str, str]
    silent: Silent = field(default_factory=dict, repr=False, compare=False)

    def find(self, reference: str, arch: Architecture) -> UnpackedImage | None:
        return find_unpacked(self.cache, reference, arch)

    def fetch(self, reference: str, arch: Architecture) -> UnpackedImage:
        return ensure_unpacked(
            self.cache,
            reference,
            arch,
            mirrors=self.config.containers.mirrors,
            offline=self.config.build.offline,
            listener=self.listener,
            environ=self.environ,
            silent=self.silent,
        )
