"""Images on disk: OCI layouts and what `docker save` and `podman save` write, each as a folder or a tar archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosswheel.errors import ImageUnavailable
from crosswheel.formats.tars import decompressed
from crosswheel.images.layers import unpack
from crosswheel.images.manifests import (
    BadManifest,
    Descriptor,
    Manifest,
    digest_of,
    find_manifest,
    is_digest,
    parse_configuration,
)
from crosswheel.model.targets import Architecture
from crosswheel.system.hashes import sha256_of

_INDEX = "index.json"
_OF_DOCKER = "manifest.json"
_BLOCK = 1 << 20


def is_archive(reference: str) -> bool:
    """Whether it is the path of a file or folder: references to registries never begin so."""
    return reference.startswith(("/", "./", "../"))


@dataclass(frozen=True)
class Layout:
    """A folder with images; `given` is the path that the user gave, for messages."""

    given: str
    folder: Path
    _files: dict[str, Path] = field(default_factory=dict, compare=False)
    """Where the layers of a `docker save` are, by their digests."""

    def manifest(self, arch: Architecture) -> Manifest:
        """The manifest of the image for the architecture. Raises BadManifest."""
        if (self.folder / _INDEX).is_file():
            return find_manifest(self._document, _INDEX, arch)
        if (self.folder / _OF_DOCKER).is_file():
            return self._saved(arch)
        raise BadManifest(f"it has neither {_INDEX} nor {_OF_DOCKER}")

    def configuration(self, wanted: Descriptor) -> bytes:
        """The configuration of an image. Raises BadManifest."""
        return self._document(wanted.digest)

    def layer(self, wanted: Descriptor, _folder: Path, _arrived: Callable[[int], None]) -> Path:
        """The file of a layer, with the right sha256. Raises BadManifest."""
        path = self._blob(wanted.digest)
        if sha256_of(path) != wanted.digest.removeprefix("sha256:") and _content_of(path) != wanted.digest:
            raise BadManifest(f"{path.name} has not the content {wanted.digest}")
        return path

    def _document(self, name: str) -> bytes:
        text = (self._blob(name) if is_digest(name) else self._inside(name)).read_bytes()
        if is_digest(name) and digest_of(text) != name:
            raise BadManifest(f"{name} has another content")
        return text

    def _blob(self, digest: str) -> Path:
        return self._files.get(digest) or self._inside(f"blobs/sha256/{digest.removeprefix('sha256:')}")

    def _inside(self, name: str) -> Path:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
            raise BadManifest(f"it has no file {name}")
        return path

    def _saved(self, arch: Architecture) -> Manifest:
        """The image in a `docker save`, which has no manifest: its digest is that of its configuration, as its id."""
        others = []
        try:
            for entry in json.loads(self._inside(_OF_DOCKER).read_bytes()):
                text = self._inside(str(entry["Config"])).read_bytes()
                about = parse_configuration(text)
                if about.arch == arch:
                    return self._listed(entry, text, about.contents)
                others.append(str(about.arch))
        except (LookupError, TypeError, RecursionError):
            raise BadManifest(f"its {_OF_DOCKER} is not one of docker save") from None
        raise BadManifest(f"it has no image for {arch}, only for {', '.join(others)}")

    def _listed(self, entry: Mapping[str, Any], text: bytes, contents: tuple[str, ...]) -> Manifest:
        files = [self._inside(str(name)) for name in entry["Layers"]]
        if len(files) != len(contents):
            raise BadManifest("it has not the layers that its configuration names")
        self._files.update(zip(contents, files, strict=True))
        configuration = Descriptor(digest_of(text), len(text))
        self._files[configuration.digest] = self._inside(str(entry["Config"]))
        layers = tuple(Descriptor(digest, self._files[digest].stat().st_size) for digest in contents)
        return Manifest(configuration.digest, configuration, layers)


def open_layout(given: str, work: Path) -> Layout:
    """The images at a path; an archive is unpacked into the folder `work`.

    Raises ImageUnavailable for a missing path, OSError, ValueError, and the exceptions of `tarfile` and decompressors.
    """
    path = Path(given)
    if path.is_dir():
        return Layout(given, path)
    if not path.is_file():
        raise ImageUnavailable(f"there is no image at {given}", hint="docker save -o FILE IMAGE; then --image ./FILE")
    unpack([path], work)
    return Layout(given, work)


def _content_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as packed, decompressed(packed) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"
