"""The step `pull`: the Docker host has the images that wheels are built in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crosswheel.containers.images import ensure_image, find_image
from crosswheel.errors import CrosswheelError
from crosswheel.images.pins import image_arch, pinned_image
from crosswheel.model.config import Config
from crosswheel.model.targets import Target, oldest_policy, python_tags
from crosswheel.steps.machine import Machine, PulledImage


def pull(machine: Machine) -> Machine:
    """Fetch one image after the other, and check each; a failed one does not stop the others. Raises nothing."""
    return replace(machine, images=tuple(_pulled(target, machine) for target in _targets(machine.config)))


def _targets(config: Config) -> Iterator[Target]:
    """One target per architecture. An image has every CPython, so any Python will do."""
    for arch in config.build.arch:
        yield Target(python_tags()[0], arch, config.build.policy or oldest_policy(arch))


def _pulled(target: Target, machine: Machine) -> PulledImage:
    host, config = machine.host, machine.config
    family = config.family_for(target)
    row = PulledImage(f"{target.policy}_{target.arch}", image_arch(target, family))
    try:
        row = replace(row, reference=config.image_for(target, family) or pinned_image(target, family).reference)
        image = find_image(host, row.reference, row.arch, config.containers.mirrors)
        if image or config.output.dry_run:
            return replace(row, image=image, there=image is not None)
        image = ensure_image(
            host,
            row.reference,
            row.arch,
            mirrors=config.containers.mirrors,
            offline=config.build.offline,
            listener=machine.listener,
        )
    except CrosswheelError as error:
        return replace(row, error=error)
    return replace(row, image=image)
