"""What describes an image in a registry: indexes, manifests and configurations, read without trust.

OCI image specification (image-index.md, manifest.md, config.md), and Docker's older media types of the same documents.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from crosswheel.model.targets import Architecture, architectures

LONGEST = 4 << 20
"""The size of a document in bytes that registries need not exceed (OCI distribution specification)."""
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)

_DEEPEST = 3  # indexes on the way to a manifest
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# The default variant of an image that names none (containerd's package platforms); arm64 appears with and without.
_USUAL_VARIANTS = {"arm64": "v8", "arm": "v7"}


class BadManifest(ValueError):  # noqa: N818 - reads as what it is
    """The document is not what the specification says, or has no image for the architecture."""


@dataclass(frozen=True)
class Descriptor:
    """A document or layer by its digest ``sha256:...`` and its size in bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """An image for one architecture: its configuration, and its layers from the lowest to the highest."""

    digest: str
    configuration: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """The bytes of all layers, compressed as they are transferred."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True)
class Configuration:
    """What an image says of itself; `contents` has the sha256 of each uncompressed layer."""

    arch: Architecture | None
    environ: Mapping[str, str]
    entrypoint: tuple[str, ...]
    contents: tuple[str, ...]


def architecture_named(system: str, machine: str, variant: str = "") -> Architecture | None:
    """The architecture by the name in wheel tags of an image's platform; None if wheel tags have no such name."""
    wanted = _platform(system, machine, variant)
    return next((arch for arch in architectures().values() if _platform(*arch.oci.split("/")) == wanted), None)


def _platform(system: str, machine: str, variant: str = "") -> tuple[str, str, str]:
    return system, machine, variant or _USUAL_VARIANTS.get(machine, "")


def read_document(text: bytes) -> Mapping[str, Any]:
    """A JSON object. Raises BadManifest."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadManifest("it is not JSON") from None
    return _as_table(found)


def is_index(document: Mapping[str, Any]) -> bool:
    """Whether the document lists manifests, one per platform."""
    return document.get("mediaType") in INDEXES or isinstance(document.get("manifests"), list)


def choose(index: Mapping[str, Any], arch: Architecture) -> Descriptor:
    """The manifest, or the index, in an index that is for the architecture.

    An entry without a platform is taken where it is the only one. Raises BadManifest.
    """
    entries = [_as_table(entry) for entry in _as_list(index.get("manifests"))]
    found = {str(_arch_of(entry.get("platform"))): entry for entry in reversed(entries) if "platform" in entry}
    if str(arch) in found:
        return _descriptor(found[str(arch)])
    if len(entries) == 1 and not entries[0].get("platform"):
        return _descriptor(entries[0])
    known = ", ".join(name for name in sorted(found) if name in architectures()) or "no architecture of wheel tags"
    raise BadManifest(f"it has no image for {arch}, only for {known}")


def _arch_of(platform: Any) -> Architecture | None:
    found = _as_table(platform or {})
    names = (str(found.get(name, "")) for name in ("os", "architecture", "variant"))
    return architecture_named(*names)


def parse_manifest(document: Mapping[str, Any], digest: str) -> Manifest:
    """A manifest of an image. Raises BadManifest, also for one of the first version, which has no digests to check."""
    if document.get("schemaVersion") != 2:  # noqa: PLR2004 - the version of the specification
        raise BadManifest("it is a manifest of an outdated version")
    layers = tuple(_descriptor(_as_table(layer)) for layer in _as_list(document.get("layers")))
    return Manifest(digest, _descriptor(_as_table(document.get("config"))), layers)


def parse_configuration(text: bytes) -> Configuration:
    """The configuration of an image. Raises BadManifest."""
    document = read_document(text)
    inner = _as_table(document.get("config") or {})
    lines = (line.partition("=")[::2] for line in _texts(inner.get("Env")))
    root = _as_table(document.get("rootfs") or {})
    return Configuration(
        arch=_arch_of(document),
        environ=MappingProxyType(dict(lines)),
        entrypoint=_texts(inner.get("Entrypoint")),
        contents=_texts(root.get("diff_ids")),
    )


def find_manifest(read: Callable[[str], bytes], name: str, arch: Architecture) -> Manifest:
    """The manifest of that name, or the one for the architecture in the index of that name.

    `read` gives a document by its tag or digest. Raises BadManifest.
    """
    for _ in range(_DEEPEST):
        text = read(name)
        document = read_document(text)
        if not is_index(document):
            return parse_manifest(document, digest_of(text))
        name = choose(document, arch).digest
    raise BadManifest("it has indexes of indexes of indexes")


def digest_of(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def _descriptor(entry: Mapping[str, Any]) -> Descriptor:
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not is_digest(digest):
        raise BadManifest("it names content without a sha256")
    if not isinstance(size, int) or size < 0:
        raise BadManifest(f"it states no size for {digest}")
    return Descriptor(digest, size)


def _as_table(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise BadManifest("a part of it is no table")
    return found


def _as_list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise BadManifest("it lists nothing")
    return found


def _texts(found: Any) -> tuple[str, ...]:
    return tuple(_each_text(found or []))


def _each_text(found: Any) -> Iterator[str]:
    for text in _as_list(found):
        if not isinstance(text, str):
            raise BadManifest("a part of it is no text")
        yield text
