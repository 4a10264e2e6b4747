"""The caches on this machine and on the Docker host, and the order of eviction."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from crosswheel.containers.docker_containers import DockerContainers
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.ownership import KIND, PROJECT
from crosswheel.containers.project_caches import CACHE_VOLUME
from crosswheel.errors import EngineUnavailable
from crosswheel.images.store import kept_images
from crosswheel.system.locks import oldest_run, remove, volume_mark
from crosswheel.system.memo import FOLDER
from crosswheel.system.requirement_builds import builds_of
from crosswheel.system.scratch import abandoned_folders, remove_abandoned
from crosswheel.toolchains.cargo_cache import cargos_of
from crosswheel.toolchains.toolbox import is_current, volume_name
from crosswheel.toolchains.zig import libraries_of, objects_of, root_of

GIB = 1024**3

Kind: TypeAlias = Literal[
    "journal", "objects", "downloads", "bytecode", "answers", "libraries", "toolchain", "unpacked", "caches", "image",
    "remains",
]  # fmt: skip
# Expensive things are evicted last; within a kind, the least recently used first.
_DEAR: tuple[Kind, ...] = ("libraries", "toolchain", "unpacked")


@dataclass(frozen=True)
class Holding:
    """One cached thing: a file or folder on this machine, a volume or image on the Docker host.

    `size` is in bytes, `used` in seconds since the epoch (NaN: unknown). `stale`: only another version of crosswheel
    would use it, or nothing; `busy`: it is in use now.
    """

    kind: Kind
    what: str
    place: Path | str
    size: int
    used: float = math.nan
    stale: bool = False
    busy: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the time of the last use is known."""
        return not math.isnan(self.used)


def goes(holdings: Collection[Holding], limit: int) -> list[Holding]:
    """The holdings to remove, in order, so that the rest fits the limit in bytes; leftovers of killed runs always go.

    Busy holdings stay, even if the limit is then exceeded.
    """
    left = sum(holding.size for holding in holdings)
    chosen = []
    for holding in sorted(holdings, key=_rank):
        if not holding.busy and (holding.kind == "remains" or left > limit or limit == 0):
            chosen.append(holding)
            left -= holding.size
    return chosen


def _rank(holding: Holding) -> tuple[bool, bool, bool, float]:
    used = holding.used if holding.is_known else 0.0
    return holding.kind != "remains", not holding.stale, holding.kind in _DEAR, used


# ---- this machine ---------------------------------------------------------------------------------------------


def local_holdings(cache: Path) -> list[Holding]:
    """Everything in crosswheel's cache folder, and leftovers of killed runs in the folder for temporary files."""
    oldest, found = oldest_run(cache), []
    for kind, what, place in _places(cache):
        # Another run may remove things at the same time.
        with suppress(FileNotFoundError):
            found.append(_local(kind, what, place, oldest))
    return [*found, *(Holding("remains", folder.name, folder, _size(folder)) for folder in abandoned_folders())]


def _places(cache: Path) -> Iterator[tuple[Kind, str, Path]]:
    for entry in cache.glob("journal/*/*"):
        yield "journal", entry.parent.name, entry
    yield from _places_of_zig(cache)
    for folder in cargos_of(cache).glob("*"):
        yield "objects", folder.name, folder
    for folder in builds_of(cache).glob("*"):
        yield "downloads", "build requirements that are only sdists", folder
    for folder in cache.glob("files/*"):
        yield "downloads", next((file.name for file in folder.glob("[!.]*")), folder.name), folder
    for archive in _without_locks(cache.glob("bytecode/*")):
        yield "bytecode", archive.stem, archive
    for environment in _without_locks(cache.glob("cibuildwheel/*")):
        yield "downloads", f"cibuildwheel {environment.name}", environment
    for image in kept_images(cache):
        yield "unpacked" if image.what else "remains", image.what or image.place.name, image.place
    yield from _places_of_containers(cache / "namespaces")
    for answer in (cache / FOLDER).glob("*/*"):
        yield "answers", answer.parent.name, answer


def _places_of_zig(cache: Path) -> Iterator[tuple[Kind, str, Path]]:
    for place in cache.glob("zig/*"):
        version, _, rest = place.name.partition("-")
        role = rest.partition("-")[0]
        if role == "objects":
            yield from (("objects", objects.name, objects) for objects in place.glob("*"))
        elif role == "libraries":
            yield "libraries", f"libc and libc++ of Zig {version}", place
        else:
            yield "toolchain", f"Zig {version}", place


def _places_of_containers(folder: Path) -> Iterator[tuple[Kind, str, Path]]:
    """Layers and volumes of containers without an engine."""
    for layer in folder.glob("layers/*"):
        yield "image", layer.name.rpartition("-")[0].removeprefix("crosswheel-") or layer.name, layer
    for volume in folder.glob("volumes/*"):
        yield "caches" if volume.name.startswith(CACHE_VOLUME) else "toolchain", volume.name, volume


def _without_locks(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.suffix != ".lock")


def _local(kind: Kind, what: str, place: Path, oldest: float) -> Holding:
    used = place.stat().st_mtime
    if place.name.startswith("."):
        return Holding("remains", place.name, place, _size(place), used, busy=used >= oldest)
    stale = kind in {"objects", "libraries", "toolchain"} and not _is_pinned(place)
    return Holding(kind, what, place, _size(place), used, stale, busy=used >= oldest)


def _is_pinned(place: Path) -> bool:
    """Whether this version of crosswheel uses it: it is Cargo's, or belongs to the pinned Zig and libc++."""
    if place.parent.name == "volumes":
        return is_current(place.name)
    if place.parent.name == "cargo":
        return True  # Cargo and its stamp know what is out of date
    folder = place if place.parent.name == "zig" else place.parent
    cache = folder.parent.parent
    return folder in {root_of(cache), libraries_of(cache), objects_of(cache)}


def _size(place: Path) -> int:
    """The size of all readable files in a folder, in bytes.

    Paths are texts here for speed, as there may be many thousands; sizes of folders themselves are not counted.
    """
    if not place.is_dir():
        return place.lstat().st_size if place.exists() else 0
    total, folders = 0, [str(place)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def remove_local(holding: Holding) -> bool:
    """Remove a holding unless it has come into use; return whether it was removed."""
    place = Path(holding.place)
    if place in abandoned_folders():
        remove_abandoned(place)
        return not place.exists()
    with suppress(FileNotFoundError):
        if place.stat().st_mtime != holding.used:
            return False
    remove(place)
    return not place.exists()


def is_due(cache: Path, what: str, pause: float) -> bool:
    """Whether the last check is long enough ago: reading thousands of sizes takes too long for every run."""
    stamp = cache / f".{what}"
    with suppress(FileNotFoundError):
        if 0 <= time.time() - stamp.stat().st_mtime < pause:
            return False
    cache.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    return True


# ---- the Docker host ------------------------------------------------------------------------------------------


def docker_holdings(docker: DockerHost, cache: Path) -> list[Holding]:
    """Our volumes and images; `cache` knows the time of their last use from this machine.

    Raises EngineUnavailable.
    """
    with engine_errors("asking the Docker Engine for its volumes and images"):
        found = docker.client.df()
        # Podman reports sizes there, and labels and names here.
        volumes = docker.client.api.volumes(filters={"label": KIND})["Volumes"] or ()
        images = docker.client.api.images(filters={"label": KIND})
    oldest = oldest_run(cache)
    current = {volume_name(DockerContainers(docker), compilers=compilers) for compilers in (True, False)}
    usage = {volume["Name"]: volume.get("UsageData") or {} for volume in found["Volumes"] or ()}
    sizes = {_hash(image["Id"]): image for image in found["Images"] or ()}
    return [
        *(_volume(volume, usage.get(volume["Name"], {}), current, cache, oldest) for volume in volumes),
        *(_image(image, sizes, cache, oldest) for image in images),
    ]


def _hash(image: str) -> str:
    """The hash in an image's id, which engines write with or without the algorithm."""
    return image.rpartition(":")[2]


def _volume(
    found: Mapping[str, Any], usage: Mapping[str, Any], current: Collection[str], cache: Path, oldest: float
) -> Holding:
    name, labels = found["Name"], found["Labels"]
    used = _last_use(name, cache)
    is_toolbox = labels[KIND] == "toolbox"
    return Holding(
        kind="toolchain" if is_toolbox else "caches",
        what=name if is_toolbox else labels.get(PROJECT, name),
        place=name,
        size=max(0, usage.get("Size", 0)),
        used=used,
        stale=is_toolbox and name not in current,
        busy=used >= oldest or usage.get("RefCount", 0) > 0,
    )


def _image(found: Mapping[str, Any], sizes: Mapping[str, Mapping[str, Any]], cache: Path, oldest: float) -> Holding:
    """An image as a holding; its size is what it adds to its base image, or the unshared size if the base is unknown.

    It is identified by name: an engine asked to remove the base of another image only removes the name.
    """
    names = (tag.rpartition("/")[2] for tag in found.get("RepoTags") or ())  # podman's names begin with a registry
    place = next((name for name in names if name.startswith("crosswheel-")), found["Id"])
    usage = sizes.get(_hash(found["Id"]), {})
    parent = sizes.get(_hash(found.get("ParentId") or ""))
    below = parent["Size"] if parent else max(0, usage.get("SharedSize", 0))
    used = _last_use(place, cache)
    return Holding(
        kind="image",
        what=found["Labels"].get(PROJECT, place),
        place=place,
        size=found["Size"] - below,
        used=used,
        busy=used >= oldest or usage.get("Containers", 0) > 0,
    )


def _last_use(name: str, cache: Path) -> float:
    try:
        return volume_mark(name, cache).stat().st_mtime
    except FileNotFoundError:
        return math.nan


def remove_from(docker: DockerHost, cache: Path, holding: Holding) -> bool:
    """Remove a holding unless a container or a new run uses it; return whether it was removed."""
    name = str(holding.place)
    used = _last_use(name, cache)
    if used != holding.used and not math.isnan(used):
        return False
    try:
        with engine_errors(f"removing {name}"):
            if holding.kind == "image":
                docker.client.api.remove_image(name)
            else:
                docker.client.api.remove_volume(name)
    except EngineUnavailable:
        return False
    volume_mark(name, cache).unlink(missing_ok=True)
    return True
