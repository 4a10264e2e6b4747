"""The pinned build images (images.toml), and which of them serves a target."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from crosswheel.errors import ImageUnavailable
from crosswheel.model.targets import Architecture, Policy, Target, architectures, load_table, parse_platform

Family: TypeAlias = Literal["pypa", "dockcross"]


@dataclass(frozen=True)
class ImagePin:
    """A row of images.toml; beside a digest, the tag only names the version at the time of pinning."""

    repository: str
    tag: str
    digest: str = ""

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


@functools.cache
def pinned_images(family: Family) -> Mapping[tuple[Policy, Architecture], ImagePin]:
    """Every pin of a family by policy and target architecture; dockcross's images themselves are x86_64."""
    table = load_table("images.toml")[family]
    return MappingProxyType({parse_platform(platform): ImagePin(**row) for platform, row in table.items()})


def image_arch(target: Target, family: Family) -> Architecture:
    """The architecture of the image itself: dockcross's run on x86_64, whatever they compile for."""
    return architectures()["x86_64"] if family == "dockcross" else target.arch


def pinned_image(target: Target, family: Family = "pypa") -> ImagePin:
    """The newest pinned image that complies with the target's policy. Raises ImageUnavailable."""
    pins = {policy: pin for (policy, arch), pin in pinned_images(family).items() if arch == target.arch}
    fitting = [policy for policy in pins if policy.libc == target.policy.libc and policy <= target.policy]
    if fitting:
        return pins[max(fitting)]
    known = sorted(pins)
    others = [str(policy) for policy in known if policy.libc == target.policy.libc]
    there = f"there are {', '.join(map(str, known))}" if known else f"there is none for {target.arch}"
    raise ImageUnavailable(
        f"no image of {family} is pinned for {target.policy} on {target.arch}; {there}",
        hint=", or ".join([*(f"--policy {name}" for name in others[:1]), "--image REPOSITORY:TAG"]),
    )
