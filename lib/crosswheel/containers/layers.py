"""Layers over images: made once in a container, kept on the host of containers, and found by a hash of their inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from crosswheel.containers.host import ContainerHost
from crosswheel.containers.images import Image
from crosswheel.system.locks import locked, mark_volume
from crosswheel.system.process import Processes

Make: TypeAlias = Callable[[str, str], str]
"""Makes the layer as repository and tag; returns its id."""


def ensure_layer(
    host: ContainerHost,
    image: Image,
    kind: str,
    ingredients: Sequence[Any],
    cache: Path,
    processes: Processes,
    make: Make,
) -> Image:
    """The image with the layer added.

    `ingredients` are all inputs except the image, as JSON values. If several runs or jobs need the same layer, one
    makes it and the others wait. Raises Stopped if the run was stopped.
    """
    text = json.dumps([image.id, image.layer, *ingredients])
    repository, tag = f"crosswheel-{kind}", hashlib.sha256(text.encode()).hexdigest()[:32]
    with locked(cache / "layers" / f"{kind}-{tag}.lock", processes.look):
        made = host.find_layer(repository, tag) or make(repository, tag)
        mark_volume(f"{repository}:{tag}", cache)
    return replace(image, layer=made)
