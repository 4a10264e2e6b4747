"""Everything that is kept between runs, here and on the Docker host, and what of it goes first."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.ownership import KIND, PROJECT
from crosswheel.errors import EngineUnavailable
from crosswheel.system.locks import oldest_run, remove, volume_mark
from crosswheel.system.memo import FOLDER
from crosswheel.system.scratch import abandoned_folders, remove_abandoned
from crosswheel.toolchains.toolbox import volume_name
from crosswheel.toolchains.zig import libraries_of, objects_of, root_of

GIB = 1024**3

Kind: TypeAlias = Literal[
    "journal", "objects", "downloads", "bytecode", "answers", "libraries", "toolchain", "caches", "image", "remains"
]  # fmt: skip
# What is dear to make goes last; within a row, what was used longest ago goes first.
_DEAR: tuple[Kind, ...] = ("libraries", "toolchain")


@dataclass(frozen=True)
class Holding:
    """One thing that is kept: a file or a folder here, a volume or an image on the Docker host.

    `size` is in bytes, `used` in seconds since the epoch (NaN: unknown). `stale` is what only another release of ours
    would use, or nobody; `busy` what somebody uses right now.
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
        """Whether anybody knows when it was last used."""
        return not math.isnan(self.used)


def goes(holdings: Collection[Holding], limit: int) -> list[Holding]:
    """What to remove, in order, until the rest is no larger than the limit; remains go in any case.

    What is busy stays, even where the limit cannot be kept then.
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
    """Everything in our folder of the user's cache, and what killed runs have left in that for temporary files."""
    oldest, found = oldest_run(cache), []
    for kind, what, place in _places(cache):
        # Another run may be at work, and this one a moment too late.
        with suppress(FileNotFoundError):
            found.append(_local(kind, what, place, oldest))
    return [*found, *(Holding("remains", folder.name, folder, _size(folder)) for folder in abandoned_folders())]


def _places(cache: Path) -> Iterator[tuple[Kind, str, Path]]:
    for entry in cache.glob("journal/*/*"):
        yield "journal", entry.parent.name, entry
    for place in cache.glob("zig/*"):
        version, _, rest = place.name.partition("-")
        role = rest.partition("-")[0]
        if role == "objects":
            yield from (("objects", objects.name, objects) for objects in place.glob("*"))
        elif role == "libraries":
            yield "libraries", f"libc and libc++ of Zig {version}", place
        else:
            yield "toolchain", f"Zig {version}", place
    for folder in cache.glob("files/*"):
        yield "downloads", next((file.name for file in folder.glob("[!.]*")), folder.name), folder
    for archive in cache.glob("bytecode/*"):
        if archive.suffix != ".lock":
            yield "bytecode", archive.stem, archive
    for answer in (cache / FOLDER).glob("*/*"):
        yield "answers", answer.parent.name, answer


def _local(kind: Kind, what: str, place: Path, oldest: float) -> Holding:
    used = place.stat().st_mtime
    if place.name.startswith("."):
        return Holding("remains", place.name, place, _size(place), used, busy=used >= oldest)
    stale = kind in {"objects", "libraries", "toolchain"} and not _is_pinned(place)
    return Holding(kind, what, place, _size(place), used, stale, busy=used >= oldest)


def _is_pinned(place: Path) -> bool:
    """Whether this release would use it: it belongs to its Zig, and to its libc++."""
    folder = place if place.parent.name == "zig" else place.parent
    cache = folder.parent.parent
    return folder in {root_of(cache), libraries_of(cache), objects_of(cache)}


def _size(place: Path) -> int:
    """Of all files in it, as far as they are still there and anybody may look.

    Of many thousands: paths are texts here, and folders are not asked for their own size.
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
    """Whether it went: what somebody has begun to use since it was looked at stays."""
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
    """Whether nobody has asked for so many seconds: to read thousands of sizes is nothing for every run."""
    stamp = cache / f".{what}"
    with suppress(FileNotFoundError):
        if 0 <= time.time() - stamp.stat().st_mtime < pause:
            return False
    cache.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    return True


# ---- the Docker host ------------------------------------------------------------------------------------------


def docker_holdings(docker: DockerHost, cache: Path) -> list[Holding]:
    """Volumes and images of ours; `cache` knows when they were last used from this machine.

    Raises EngineUnavailable.
    """
    with engine_errors("asking the Docker Engine how much it keeps"):
        found = docker.client.df()
        # Podman tells sizes there, and labels and names here.
        volumes = docker.client.api.volumes(filters={"label": KIND})["Volumes"] or ()
        images = docker.client.api.images(filters={"label": KIND})
    oldest = oldest_run(cache)
    current = {volume_name(docker, compilers=compilers) for compilers in (True, False)}
    usage = {volume["Name"]: volume.get("UsageData") or {} for volume in found["Volumes"] or ()}
    sizes = {_hash(image["Id"]): image for image in found["Images"] or ()}
    return [
        *(_volume(volume, usage.get(volume["Name"], {}), current, cache, oldest) for volume in volumes),
        *(_image(image, sizes, cache, oldest) for image in images),
    ]


def _hash(image: str) -> str:
    """Of an image's id, which engines write with the algorithm and without."""
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
    """Of its size, what it adds to the image that it lies on; where engines do not say which, what it does not share.

    By its name: an engine that is told to remove one on which another lies takes the name away, and it goes with that.
    """
    names = (tag.rpartition("/")[2] for tag in found.get("RepoTags") or ())  # podman's begin with a registry
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
    """Whether it went: what a container has, the engine keeps, and what a run has begun to use since stays as well."""
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
