"""What this machine can have without an engine: the unpacked image of each platform, or the registry that has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache as cached
from pathlib import Path

from crosswheel.errors import CrosswheelError
from crosswheel.images.failures import NotDelivered
from crosswheel.images.layouts import is_archive
from crosswheel.images.pins import pinned_image
from crosswheel.images.references import Reference, parse_reference
from crosswheel.images.registry import open_registry
from crosswheel.images.store import find_unpacked
from crosswheel.model.config import Config
from crosswheel.model.targets import Target, oldest_policy, python_tags


@dataclass(frozen=True)
class PlatformImage:
    """The image of a platform: its `size` in bytes if it is unpacked, else the first `registry` that answers.

    `trouble` says why there is neither.
    """

    platform: str
    reference: str = ""
    size: int | None = None
    registry: str = ""
    trouble: str = ""


def look_at_images(config: Config, folder: Path, environ: Mapping[str, str]) -> Iterator[PlatformImage]:
    """The image of each requested architecture. Each registry is asked once; one that is silent takes three seconds."""

    @cached
    def answers(host: str) -> str:
        """Empty, or why it does not."""
        try:
            with open_registry(Reference(host, "any"), environ):
                return ""
        except NotDelivered as failure:
            return str(failure)

    for arch in config.build.arch:
        target = Target(python_tags()[0], arch, config.build.policy or oldest_policy(arch))
        name = f"{target.policy}_{arch}"
        try:
            reference = config.image_for(target) or pinned_image(target).reference
            image = find_unpacked(folder, reference, arch)
            if image:
                yield PlatformImage(name, reference, size=image.size)
            elif config.build.offline:
                yield PlatformImage(name, reference, trouble="--offline forbids asking a registry")
            else:
                yield _of_registry(name, reference, config.containers.mirrors, answers)
        except CrosswheelError as error:
            yield PlatformImage(name, trouble=error.message)


def _of_registry(name: str, reference: str, mirrors: tuple[str, ...], answers: Callable[[str], str]) -> PlatformImage:
    if is_archive(reference):
        return PlatformImage(name, reference, registry="a file")
    wanted = parse_reference(reference)
    trouble = ""
    for source in (*(wanted.at(mirror) for mirror in mirrors), wanted):
        trouble = answers(source.host)
        if not trouble:
            return PlatformImage(name, reference, registry=source.host)
    return PlatformImage(name, reference, trouble=trouble)
