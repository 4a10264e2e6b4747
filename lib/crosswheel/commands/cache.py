"""`cache`: list what is cached on this machine and on the Docker host, and trim it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.engines.facts import Facts
from crosswheel.errors import EngineUnavailable
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, Note
from crosswheel.reporting.cache import CachePlace, cache_document, cache_text, removed_text
from crosswheel.reporting.document import Document
from crosswheel.system.locks import user_cache
from crosswheel.upkeep.caches import (
    GIB,
    Holding,
    docker_holdings,
    goes,
    is_due,
    local_holdings,
    remove_from,
    remove_local,
)

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import CacheOptions, PathText

_HOUR, _DAY = 3600, 24 * 3600
_PATIENCE = 30  # seconds; an engine measures all the volumes that it has, not only ours
_THIS_MACHINE = "this machine"


@dataclass(frozen=True)
class CacheReport(Result):
    """The contents of each place and the removed things (in a dry run: those to remove); `limit` in bytes per place."""

    places: tuple[CachePlace, ...]
    limit: int
    dry_run: bool = False

    def document(self) -> Document:
        return cache_document(self.places, self.limit, dry_run=self.dry_run)

    def text(self, console: Console | None = None) -> str:
        return cache_text(self.places, self.limit, console, dry_run=self.dry_run)


@public
def cache(*, project: PathText = ".", listener: Listener | None = None, **options: Unpack[CacheOptions]) -> CacheReport:
    """List what is cached on this machine and on the Docker host; trim=True removes the oldest down to cache_size.

    `project` is the folder whose pyproject.toml counts. `listener` hears nothing yet.

    Returns a CacheReport: `.places` (each with `.holdings`, `.gone`, and `.trouble` where it could not be read),
    `.ok`, `.exit_code`, `.document()` (what --json writes); str() is the table.
    Raises UsageError for wrong options.
    """
    return from_code(run, "cache", project, listener, options)


def run(call: Call) -> CacheReport:
    config, folder = call.config, user_cache(call.environ)
    places = (_local(folder, config), _docker(folder, call))
    return CacheReport(places, config.upkeep.cache_size * GIB, config.output.dry_run)


def keep_within_limit(config: Config, facts: Facts, listener: Listener) -> None:
    """Trim the caches at the end of a run if that was not done for a while, so that the limit holds automatically.

    What it has used itself stays, and what this machine never used on a Docker host that it may share with others.
    """
    folder, limit, docker = facts.host.cache, config.upkeep.cache_size * GIB, facts.docker
    gone: list[Holding] = []
    # The wheels are made: an error here must not fail the run.
    with suppress(EngineUnavailable, OSError):
        if is_due(folder, "measured", _HOUR):
            gone += _removed(goes(local_holdings(folder), limit), remove_local)
        if isinstance(docker, DockerHost) and is_due(folder, f"measured-{_short(docker.address)}", _DAY):
            docker.client.api.timeout = _PATIENCE
            ours = [holding for holding in docker_holdings(docker, folder) if holding.is_known]
            gone += _removed(goes(ours, limit), partial(remove_from, docker, folder))
    if any(holding.kind != "remains" for holding in gone):
        listener(Note(removed_text(gone, limit)))


def _local(folder: Path, config: Config) -> CachePlace:
    place = CachePlace(_THIS_MACHINE, str(folder), tuple(local_holdings(folder)))
    return _trimmed(place, config, remove_local)


def _docker(folder: Path, call: Call) -> CachePlace:
    config = call.config
    try:
        docker = connect(config.containers.docker_host, call.environ)
        place = CachePlace("Docker host", docker.address, tuple(docker_holdings(docker, folder)))
    except EngineUnavailable as error:
        return CachePlace("Docker host", config.containers.docker_host, trouble=error)
    return _trimmed(place, config, partial(remove_from, docker, folder))


def _trimmed(place: CachePlace, config: Config, remove: Callable[[Holding], bool]) -> CachePlace:
    """Separate what was removed (with --dry-run: would be) from what stays."""
    chosen = goes(place.holdings, config.upkeep.cache_size * GIB) if config.upkeep.trim or config.output.dry_run else []
    gone = chosen if config.output.dry_run else _removed(chosen, remove)
    stays = tuple(holding for holding in place.holdings if holding not in gone)
    return replace(place, holdings=stays, gone=tuple(gone))


def _removed(chosen: list[Holding], remove: Callable[[Holding], bool]) -> list[Holding]:
    return [holding for holding in chosen if remove(holding)]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
