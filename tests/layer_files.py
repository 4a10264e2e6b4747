"""Layers and images made by hand, as tar archives and as what a registry serves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
WHEN = 1_577_836_800  # 2020-01-01


@dataclass(frozen=True)
class Member:
    """A member of a layer: a file with content, a folder if its name ends with a slash, a link with a target."""

    name: str
    content: bytes = b""
    link: str = ""
    hard: str = ""
    kind: bytes = b""
    mode: int = 0o755


def layer(*members: Member) -> bytes:
    """An uncompressed layer."""
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.mode, info.mtime, info.uid, info.gid = member.mode, WHEN, 12345, 12345
            info.size = len(member.content)
            if member.link:
                info.type, info.linkname = tarfile.SYMTYPE, member.link
            elif member.hard:
                info.type, info.linkname = tarfile.LNKTYPE, member.hard
            elif member.name.endswith("/"):
                info.type = tarfile.DIRTYPE
            info.type = member.kind or info.type
            archive.addfile(info, io.BytesIO(member.content))
    return text.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class HandMade:
    """An image as documents and blobs by digest; `manifest` is the name of its manifest or index."""

    manifest: str
    documents: Mapping[str, tuple[str, bytes]]
    blobs: Mapping[str, bytes] = field(default_factory=dict)


def image(
    layers: Sequence[bytes],
    machine: str = "arm64",
    *,
    environ: Iterable[str] = ("PATH=/bin",),
    contents: Sequence[bytes] | None = None,
) -> HandMade:
    """An image of these layers, as they are transferred; `contents` are the uncompressed ones if they differ."""
    about = {
        "architecture": machine,
        "os": "linux",
        "config": {"Env": list(environ), "Entrypoint": ["start"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in contents or layers]},
    }
    text = json.dumps(about).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(_CONFIG, text),
        "layers": [_descriptor(_LAYER, each) for each in layers],
    }
    document = json.dumps(manifest).encode()
    blobs = {digest(each): each for each in (text, *layers)}
    return HandMade(digest(document), {digest(document): (MANIFEST, document)}, blobs)


def index(images: Mapping[str, HandMade]) -> HandMade:
    """An index of images by their machines."""
    documents: dict[str, tuple[str, bytes]] = {}
    blobs: dict[str, bytes] = {}
    entries: list[dict[str, Any]] = []
    for machine, one in images.items():
        entry = _descriptor(MANIFEST, one.documents[one.manifest][1])
        entries.append({**entry, "platform": {"os": "linux", "architecture": machine}})
        documents.update(one.documents)
        blobs.update(one.blobs)
    text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return HandMade(digest(text), {**documents, digest(text): (INDEX, text)}, blobs)


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}
