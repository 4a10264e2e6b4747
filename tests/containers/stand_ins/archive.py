"""An image as the file that `docker load` takes.

`docker import --platform` of older engines writes the engine's own architecture into the image; here the configuration
is ours.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Earlier than any package, later than what zip files can say: whoever puts a file of the image into a wheel needs that.
_MOMENT = "2020-01-01T00:00:00Z"

_TAR = (
    "tar", "--create", "--sort=name", f"--mtime={_MOMENT}", "--numeric-owner", "--owner=0", "--group=0",
    "--exclude=__pycache__",
)  # fmt: skip
_TIMEOUT = 300

# What pypa's images say of themselves, by the architecture in the name of a wheel.
PLATFORMS: Mapping[str, Mapping[str, str]] = {
    "aarch64": {"architecture": "arm64", "variant": "v8"},
    "x86_64": {"architecture": "amd64"},
}


@dataclass(frozen=True)
class Image:
    """Folders that lie one over the other, and how a container of them starts; all owned by root."""

    arch: str
    layers: Sequence[Path]
    environ: Mapping[str, str] = field(default_factory=dict)
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    setup: Sequence[str] = ()  # a command that runs in a container of it, and whose files stay: one that runs here


def write_archive(image: Image, name: str, folder: Path) -> Path:
    """Write it into an empty folder; the same content gives the same image."""
    layers = [_write_layer(layer, folder / f"{number}.tar") for number, layer in enumerate(image.layers)]
    digests = [f"sha256:{_sha256(layer)}" for layer in layers]
    (folder / "config.json").write_text(json.dumps(configuration(image, digests)))
    manifest = {"Config": "config.json", "RepoTags": [name], "Layers": [layer.name for layer in layers]}
    (folder / "manifest.json").write_text(json.dumps([manifest]))
    members = ["manifest.json", "config.json", *(layer.name for layer in layers)]
    _run("tar", "--create", f"--file={folder}/image.tar", "--remove-files", f"--directory={folder}", *members)
    return folder / "image.tar"


def configuration(image: Image, layers: Sequence[str]) -> dict[str, object]:
    """The image's configuration; `layers` are the digests of the tar files of its layers."""
    start = {
        "Env": [f"{name}={value}" for name, value in image.environ.items()],
        "Entrypoint": list(image.entrypoint) or None,
        "Cmd": list(image.command) or None,
        "Labels": dict(image.labels),
    }
    return {
        **PLATFORMS[image.arch],
        "os": "linux",
        "created": _MOMENT,
        "config": start,
        "rootfs": {"type": "layers", "diff_ids": [*layers]},
        "history": [{"created": _MOMENT, "created_by": "tests/containers"} for _ in layers],
    }


def tar_command(folder: Path, file: str) -> list[str]:
    """Writes a folder to a tar file, or to standard output for ``-``; the same content gives the same bytes."""
    return [*_TAR, f"--file={file}", f"--directory={folder}", "."]


def _write_layer(folder: Path, path: Path) -> Path:
    _run(*tar_command(folder, str(path)))
    return path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=True)
