"""Layers over unpacked images: folders of files in the user's cache, each with the names of the layers below it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers.ownership import LABEL, is_stale
from crosswheel.system.locks import mark_used, put
from crosswheel.system.removal import remove_tree

_ABOUT, _FILES = "layer.json", "files"


@dataclass(frozen=True)
class Layers:
    """The layers in a folder. A layer appears under its name when it is complete."""

    folder: Path

    def has(self, name: str) -> bool:
        """Whether the layer and all below it are there."""
        try:
            return all((self.folder / each / _ABOUT).is_file() for each in (name, *self._below(name)))
        except (OSError, ValueError):
            return False

    def chain(self, name: str) -> tuple[str, ...]:
        """The names of a layer and of those below it, the top one first, which counts as a use."""
        names = (name, *self._below(name))
        for each in names:
            mark_used(self.folder / each)
        return names

    def _below(self, name: str) -> tuple[str, ...]:
        return tuple(json.loads((self.folder / name / _ABOUT).read_text())["below"])

    def files(self, name: str) -> Path:
        return self.folder / name / _FILES

    def add(self, name: str, files: Path, below: Sequence[str], labels: Mapping[str, str]) -> None:
        """Move `files`, a folder on the same disk, into a new layer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=self.folder, prefix=".making-"))
        files.rename(draft / _FILES)
        (draft / _ABOUT).write_text(json.dumps({"below": list(below), "labels": dict(labels)}))
        put(draft, self.folder / name)

    def remove_stale(self) -> None:
        """Remove layers that belonged to a finished run only."""
        for about in self.folder.glob(f"*/{_ABOUT}"):
            with suppress(OSError, ValueError):
                labels = json.loads(about.read_text())["labels"]
                if labels.get(LABEL) and is_stale(labels):
                    remove_tree(about.parent)
