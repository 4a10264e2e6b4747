"""An image into a registry, by the registry's own interface: an engine would unpack every layer, to pack it again."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests
from zlib_ng import zlib_ng

from containers.stand_ins.archive import Image, configuration, tar_command

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

_LEVEL = 1  # layers are read some times and stay on this machine
_GZIP = 31  # zlib's `wbits` for a gzip file
_BLOCK = 1 << 20
_TIMEOUT = 300


@dataclass(frozen=True)
class _Blob:
    """What a registry keeps: `digest` is of its bytes, `content` of what is packed in them."""

    kind: str
    digest: str
    size: int
    content: str = ""

    def described(self) -> dict[str, object]:
        return {"mediaType": self.kind, "size": self.size, "digest": self.digest}


def push(image: Image, repository: str, tag: str, folder: Path) -> None:
    """`repository` is ``http://127.0.0.1:PORT/v2/NAME``; `folder` has room for a packed layer."""
    layers = [_push_layer(layer, repository, folder / "layer.tar.gz") for layer in image.layers]
    text = json.dumps(configuration(image, [layer.content for layer in layers])).encode()
    config = _Blob(_CONFIG, f"sha256:{hashlib.sha256(text).hexdigest()}", len(text))
    _put(repository, config, text)
    listed = {"config": config.described(), "layers": [layer.described() for layer in layers]}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **listed})
    answer = requests.put(
        f"{repository}/manifests/{tag}", manifest, headers={"Content-Type": MANIFEST}, timeout=_TIMEOUT
    )
    answer.raise_for_status()


def _push_layer(layer: Path, repository: str, packed: Path) -> _Blob:
    content, whole = hashlib.sha256(), hashlib.sha256()
    with packed.open("wb") as file:
        for block in _gzipped(layer, content):
            whole.update(block)
            file.write(block)
    blob = _Blob(_LAYER, f"sha256:{whole.hexdigest()}", packed.stat().st_size, f"sha256:{content.hexdigest()}")
    with packed.open("rb") as file:
        _put(repository, blob, file)
    return blob


def _gzipped(layer: Path, content: hashlib._Hash) -> Iterator[bytes]:
    """The tar file of a folder, packed; `content` is fed the bytes of the tar file itself."""
    gzip = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, _GZIP)
    with subprocess.Popen(tar_command(layer, "-"), stdout=subprocess.PIPE) as tar:
        assert tar.stdout
        while block := tar.stdout.read(_BLOCK):
            content.update(block)
            yield gzip.compress(block)
        yield gzip.flush()
    if tar.returncode:
        raise subprocess.CalledProcessError(tar.returncode, tar.args)


def _put(repository: str, blob: _Blob, data: bytes | IO[bytes]) -> None:
    begun = requests.post(f"{repository}/blobs/uploads/", timeout=_TIMEOUT)
    begun.raise_for_status()
    headers = {"Content-Type": "application/octet-stream"}
    answer = requests.put(
        begun.headers["Location"], data, params={"digest": blob.digest}, headers=headers, timeout=_TIMEOUT
    )
    answer.raise_for_status()
