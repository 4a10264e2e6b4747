"""Creates containers from images of the right architecture only.

Docker refuses to create a container for another platform than the image's; podman only warns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.ownership import labels
from crosswheel.errors import ImageUnavailable
from crosswheel.images.manifests import architecture_named
from crosswheel.model.targets import Architecture

if TYPE_CHECKING:
    from docker.models.containers import Container


def create(host: DockerHost, image: str, arch: Architecture, **options: Any) -> Container:
    """Create a container of `image` (id or name) with the engine's `options` and the labels of this run.

    Raises ImageUnavailable for an image of another architecture, and the exceptions of docker-py.
    """
    attributes = host.client.images.get(image).attrs
    if architecture_of(attributes) != arch:
        text = f"the image {image} on the engine at {host.address} is for {_name(attributes)}, not for {arch}"
        raise ImageUnavailable(text, hint=f"docker pull --platform {arch.oci}, or --image REPOSITORY:TAG")
    return host.client.containers.create(image, platform=arch.oci, labels=labels(), **options)


def architecture_of(attributes: Mapping[str, Any]) -> Architecture | None:
    """The architecture of an image by the name in wheel tags; None if wheel tags have no such name."""
    return architecture_named(attributes["Os"], attributes["Architecture"], attributes.get("Variant", ""))


def _name(attributes: Mapping[str, Any]) -> str:
    return str(architecture_of(attributes) or f"{attributes['Os']}/{attributes['Architecture']}")
