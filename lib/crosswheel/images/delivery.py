"""Fetches an image from a mirror, from its own registry or from the disk, and unpacks it into a draft."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from crosswheel.errors import ImageUnavailable
from crosswheel.images.failures import ANOTHER, NotDelivered
from crosswheel.images.layers import unpack
from crosswheel.images.layouts import is_archive, open_layout
from crosswheel.images.manifests import BadManifest, Descriptor, Manifest, find_manifest, parse_configuration
from crosswheel.images.references import Reference, parse_reference
from crosswheel.images.registry import open_registry
from crosswheel.model.job import Listener, Note, Transfer, chore
from crosswheel.model.targets import Architecture

ABOUT = "image.json"
ROOT = "root"
WORK = "archive"
LAYERS = "layers"
_TICK = 2 << 20  # bytes between two progress events


class _Source(Protocol):
    """Where documents and layers come from: a registry or a layout."""

    def configuration(self, wanted: Descriptor) -> bytes: ...

    def layer(self, wanted: Descriptor, folder: Path, arrived: Callable[[int], None], /) -> Path: ...


def deliver(
    draft: Path,
    reference: str,
    arch: Architecture,
    mirrors: Sequence[str],
    environ: Mapping[str, str],
    listener: Listener,
    silent: dict[str, NotDelivered],
) -> str:
    """Fill the folder `draft` with the image, and return the digest of its manifest.

    `silent` has, by host, the registries that did not answer: they are not asked again, and further ones are added.

    Layers that are there already, from an earlier attempt, are not downloaded again. Raises ImageUnavailable,
    UsageError, OSError, ValueError, and the exceptions of `tarfile` and decompressors.
    """
    if is_archive(reference):
        with chore(f"reading {reference}", listener):
            layout = open_layout(reference, draft / WORK)
            manifest = layout.manifest(arch)
        _fill(draft, reference, arch, layout, manifest, listener)
        return manifest.digest
    wanted = parse_reference(reference)
    failures: dict[str, NotDelivered] = {}
    for source in (*(wanted.at(mirror) for mirror in mirrors), wanted):
        try:
            if source.host in silent:
                raise silent[source.host]
            return _fetch(draft, source, arch, environ, listener)
        except NotDelivered as failure:  # noqa: PERF203 - a registry each
            if failure.silent:
                silent[source.host] = failure
            failures[str(source)] = failure
            if source != wanted:
                listener(Note(f"{source}: {failure}; trying the next registry"))
    raise _nowhere(reference, arch, failures)


def _fetch(draft: Path, source: Reference, arch: Architecture, environ: Mapping[str, str], listener: Listener) -> str:
    """Fill the draft from one registry. Raises NotDelivered."""
    with open_registry(source, environ) as registry:
        try:
            manifest = find_manifest(registry.document, source.digest or source.tag, arch)
            _fill(draft, str(source), arch, registry, manifest, listener)
        except BadManifest as error:
            raise NotDelivered(f"{source.host} has the wrong image: {error}", ANOTHER) from error
    return manifest.digest


def _fill(draft: Path, what: str, arch: Architecture, source: _Source, manifest: Manifest, listener: Listener) -> None:
    about = parse_configuration(source.configuration(manifest.configuration))
    if about.arch != arch:
        raise BadManifest(f"it is for {about.arch or 'an architecture without a name in wheel tags'}, not for {arch}")
    files = _layers(draft / LAYERS, what, source, manifest, listener)
    with chore(f"unpacking {what}", listener):
        size = unpack(files, draft / ROOT)
    facts = {
        "reference": what,
        "digest": manifest.digest,
        "size": size,
        "environ": dict(about.environ),
        "entrypoint": about.entrypoint,
    }
    (draft / ABOUT).write_text(json.dumps(facts))


def _layers(folder: Path, what: str, source: _Source, manifest: Manifest, listener: Listener) -> list[Path]:
    """The files of the layers, from the lowest to the highest."""
    folder.mkdir(exist_ok=True)
    total, before, told = manifest.size, 0, 0

    def arrived(size: int) -> None:
        nonlocal told
        if before + size - told >= _TICK:
            told = before + size
            listener(Transfer(what, told, total))

    listener(Transfer(what, 0, total))  # the size comes first
    _check_space(folder, total)
    files = []
    for layer in manifest.layers:
        files.append(source.layer(layer, folder, arrived))
        before += layer.size
    listener(Transfer(what, total, total))
    return files


def _check_space(folder: Path, total: int) -> None:
    """Raise OSError before the download if the layers alone do not fit; those that are there already count."""
    there = sum(path.stat().st_size for path in folder.iterdir())
    if shutil.disk_usage(folder).free < total - there:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _nowhere(reference: str, arch: Architecture, failures: Mapping[str, NotDelivered]) -> ImageUnavailable:
    """The error after all registries failed; the last one is the image's own."""
    *_, own = failures.values()
    reasons = f" {own}"
    if len(failures) > 1:
        reasons = "".join(f"\n  {name}: {failure}" for name, failure in failures.items())
    return ImageUnavailable(f"{reference} is not available for {arch}:{reasons}", hint=own.hint)
