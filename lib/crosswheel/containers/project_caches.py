"""Cache volumes of a project's containers: packages that uv fetched or built, and compiled objects.

One volume per project and image. Per project, because builds are not trusted: their files reach only builds of the
same project. Per image, because objects depend on C library and processor. Several containers may write at the same
time: uv and ccache use locks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crosswheel.containers.host import ContainerHost
from crosswheel.containers.images import Image
from crosswheel.containers.ownership import KIND, PROJECT
from crosswheel.system.locks import mark_volume

CACHE_VOLUME = "crosswheel-cache-"
"""The beginning of the volumes' names."""

CACHE = PurePosixPath("/var/cache/crosswheel")
OBJECTS = CACHE / "objects"
PACKAGES = CACHE / "packages"

UV_ENVIRON = {"UV_CACHE_DIR": str(PACKAGES)}
"""The folder of uv's cache; without a volume it lives as long as the container."""


@dataclass(frozen=True)
class Cache:
    """A writable volume for the containers of one project and image."""

    volume: str

    @property
    def volumes(self) -> dict[str, str]:
        return {self.volume: str(CACHE)}


def ensure_cache(host: ContainerHost, project: str, image: Image, kept: Path) -> Cache:
    """The volume on the host, created if missing.

    `kept`, this machine's cache, records its use first, so that trimming does not remove the volume before it is used.
    """
    volume = cache_volume(project, image)
    mark_volume(volume, kept)
    host.ensure_volume(volume, {KIND: "cache", PROJECT: project})
    return Cache(volume)


def cache_volume(project: str, image: Image) -> str:
    """The name of the volume."""
    return f"{CACHE_VOLUME}{_safe(project)}-{image.id.rpartition(':')[2][:12]}"


def _safe(project: str) -> str:
    """The name with characters that volume names allow; sdists may have any name."""
    return re.sub(r"[^a-z0-9-]", "-", project)
