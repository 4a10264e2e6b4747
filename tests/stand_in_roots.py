"""Unpacked images for tests without a container engine: the stand-ins of tests/containers, made once and kept.

A root is in a cache like the user's: with CROSSWHEEL_CACHE set to `cache`, and `reference` as the image, everything
finds it there and asks no registry.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import filelock

from containers.images import recipe_version
from containers.stand_ins import STAND_INS
from containers.stand_ins.archive import write_archive
from crosswheel.images.store import UnpackedImage, ensure_unpacked, find_unpacked, name_of
from crosswheel.model.job import deaf
from crosswheel.model.targets import architectures


@dataclass(frozen=True)
class StandInRoot:
    """An unpacked stand-in, and the cache that has it."""

    cache: Path
    image: UnpackedImage

    @property
    def reference(self) -> str:
        return self.image.reference


def stand_in_root(kept: Path, repository: str) -> StandInRoot:
    """The unpacked stand-in for a repository, such as pypa/manylinux_2_41_aarch64; made if `kept` lacks it.

    Raises DebianUnavailable and IndexUnavailable.
    """
    name, recipe = STAND_INS[repository]
    arch = architectures()[name]
    reference = f"localhost/{repository}:{recipe_version(recipe)}"
    cache = kept / "unpacked"
    with filelock.FileLock(kept / f"{repository.replace('/', '-')}-root.lock"):
        image = find_unpacked(cache, reference, arch)
        if image is None:
            with tempfile.TemporaryDirectory(dir=kept) as work:
                layer, folder = Path(work, "layer"), Path(work, "archive")
                layer.mkdir()
                folder.mkdir()
                archive = str(write_archive(recipe(name, layer, kept), reference, folder))
                ensure_unpacked(cache, archive, arch, mirrors=(), offline=True, listener=deaf)
                shutil.copy(name_of(cache, archive, arch), name_of(cache, reference, arch))
            image = find_unpacked(cache, reference, arch)
    assert image is not None
    return StandInRoot(cache, image)
