"""What the containers of a project keep for the next ones: packages that uv fetched or built, and compiled objects.

One volume per project and image. Per project, for what builds run is not trusted: whatever one leaves there reaches
builds of its own project only. Per image, so that nothing made for another C library or processor is in it. Several
containers may write at once, of one run or of more: uv and ccache lock what they have to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.images import Image
from crosswheel.containers.ownership import KIND, PROJECT
from crosswheel.system.locks import mark_volume

CACHE = PurePosixPath("/var/cache/crosswheel")
OBJECTS = CACHE / "objects"
PACKAGES = CACHE / "packages"

UV_ENVIRON = {"UV_CACHE_DIR": str(PACKAGES)}
"""Where uv looks; without a volume there, for as long as the container lives."""


@dataclass(frozen=True)
class Cache:
    """A volume that containers of one project and image mount to write."""

    volume: str

    @property
    def volumes(self) -> dict[str, str]:
        return {self.volume: str(CACHE)}


def ensure_cache(docker: DockerHost, project: str, image: Image, kept: Path) -> Cache:
    """The volume on that Docker host, made if need be: an engine gives the one that it has under a name.

    `kept`, this machine's own cache, knows first: who trims that is not to remove the volume before anybody has it.
    """
    volume = f"crosswheel-cache-{_safe(project)}-{image.id.rpartition(':')[2][:12]}"
    mark_volume(volume, kept)
    with engine_errors(f"making the volume {volume}"):
        docker.client.volumes.create(volume, labels={KIND: "cache", PROJECT: project})
    return Cache(volume)


def _safe(project: str) -> str:
    """As the name of a volume may be; sdists call themselves whatever they like."""
    return re.sub(r"[^a-z0-9-]", "-", project)
