"""`cache`: what is kept between runs, here and on the Docker host; and what of it goes when that is too much."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from crosswheel.commands.settings import settings
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.engines.site import Site
from crosswheel.errors import EngineUnavailable, explaining
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, Note
from crosswheel.report.cache import Place, cache_document, cache_text, removed_text
from crosswheel.report.console import console_for
from crosswheel.report.document import write_json
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

_HOUR, _DAY = 3600, 24 * 3600
_PATIENCE = 30  # seconds; an engine measures all the volumes that it has, not only ours
_THIS_MACHINE = "this machine"


@explaining()
def cache(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show it; with --trim, remove what was used longest ago until each place is within --cache-size."""
    config = settings(project, options)
    folder = user_cache(os.environ)
    places = [_local(folder, config), _docker(folder, config)]
    stream.write(
        cache_text(
            places, config.upkeep.cache_size * GIB, console_for(stream, os.environ), dry_run=config.output.dry_run
        )
    )
    if config.output.json:
        write_json(
            config.output.json, cache_document(places, config.upkeep.cache_size * GIB, dry_run=config.output.dry_run)
        )
    return 0


def keep_within_limit(site: Site, listener: Listener) -> None:
    """What a run does at its end, where nobody has for a while: the limit holds without anybody typing anything.

    What it has used itself stays, and what this machine never used on a Docker host that it may share with others.
    """
    folder, limit, docker = site.host.cache, site.config.upkeep.cache_size * GIB, site.docker
    gone: list[Holding] = []
    # Its wheels are made: whatever goes wrong here is nothing to fail for.
    with suppress(EngineUnavailable, OSError):
        if is_due(folder, "measured", _HOUR):
            gone += _removed(goes(local_holdings(folder), limit), remove_local)
        if isinstance(docker, DockerHost) and is_due(folder, f"measured-{_short(docker.address)}", _DAY):
            docker.client.api.timeout = _PATIENCE
            ours = [holding for holding in docker_holdings(docker, folder) if holding.is_known]
            gone += _removed(goes(ours, limit), partial(remove_from, docker, folder))
    if any(holding.kind != "remains" for holding in gone):
        listener(Note(removed_text(gone, limit)))


def _local(folder: Path, config: Config) -> Place:
    place = Place(_THIS_MACHINE, str(folder), tuple(local_holdings(folder)))
    return _trimmed(place, config, remove_local)


def _docker(folder: Path, config: Config) -> Place:
    try:
        docker = connect(config.containers.docker_host, os.environ)
        place = Place("Docker host", docker.address, tuple(docker_holdings(docker, folder)))
    except EngineUnavailable as error:
        return Place("Docker host", config.containers.docker_host, trouble=error)
    return _trimmed(place, config, partial(remove_from, docker, folder))


def _trimmed(place: Place, config: Config, remove: Callable[[Holding], bool]) -> Place:
    """What has gone, or with --dry-run would go, told apart from what stays."""
    chosen = goes(place.holdings, config.upkeep.cache_size * GIB) if config.upkeep.trim or config.output.dry_run else []
    gone = chosen if config.output.dry_run else _removed(chosen, remove)
    stays = tuple(holding for holding in place.holdings if holding not in gone)
    return replace(place, holdings=stays, gone=tuple(gone))


def _removed(chosen: list[Holding], remove: Callable[[Holding], bool]) -> list[Holding]:
    return [holding for holding in chosen if remove(holding)]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
