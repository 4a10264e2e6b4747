"""The images of an engine, and how it pulls those that it lacks.

An image of the wrong architecture is never used. Engines return such images: a tag means the image that was pulled
under it last, for any platform (moby/moby#48197, docker/cli#2590).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from crosswheel.containers.creation import architecture_of
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.errors import DiskFull, EngineUnavailable, ImageUnavailable
from crosswheel.images.references import Reference, is_image_id, parse_reference
from crosswheel.model.job import Listener, Note, Transfer, chore
from crosswheel.model.targets import Architecture

_ATTEMPTS = 3
_TICK = 2 * 1024 * 1024  # bytes between two progress events


@dataclass(frozen=True)
class Image:
    """An image on an engine: `id` on the engine, `reference` as requested, `size` in bytes.

    `digest` is the manifest's in a registry, empty for an image from no registry. `layer` is an image with an added
    layer that containers use instead, if there is one.
    """

    id: str
    reference: str
    digest: str
    arch: Architecture
    environ: Mapping[str, str]
    entrypoint: tuple[str, ...]
    size: int
    layer: str = ""

    @property
    def content(self) -> str:
        """The id of the image that containers use."""
        return self.layer or self.id


def find_image(host: DockerHost, reference: str, arch: Architecture, mirrors: Sequence[str] = ()) -> Image | None:
    """The engine's image for the reference and architecture, under its own name or a mirror's; None if missing.

    Raises UsageError for an invalid reference or mirror, EngineUnavailable.
    """
    here = _here(host, reference, mirrors)
    return next((image for image in here if image.arch == arch), None)


def ensure_image(
    host: DockerHost,
    reference: str,
    arch: Architecture,
    *,
    mirrors: Sequence[str],
    offline: bool,
    listener: Listener,
) -> Image:
    """The image, pulled if the engine lacks it: from the mirrors in order, then from its own registry.

    `reference` is REPOSITORY:TAG, REPOSITORY@sha256:DIGEST or the id of an image on the engine. Raises
    ImageUnavailable, DiskFull, EngineUnavailable and UsageError.
    """
    image = find_image(host, reference, arch, mirrors)
    if image:
        return image
    if offline or is_image_id(reference):
        raise _absent(host, reference, arch, mirrors, offline=offline)
    wanted = parse_reference(reference)
    failures: dict[str, _PullFailed] = {}
    for source in (*(wanted.at(mirror) for mirror in mirrors), wanted):
        pulled = _pulled(host, source, reference, arch, listener)
        if isinstance(pulled, Image):
            return pulled
        failures[str(source)] = pulled
        if source != wanted:
            listener(Note(f"{source}: {pulled}; trying the next registry"))
    raise _nowhere(reference, arch, failures)


def _nowhere(reference: str, arch: Architecture, failures: Mapping[str, _PullFailed]) -> ImageUnavailable:
    """The error after all registries failed; the last one is the image's own."""
    *_, own = failures.values()
    reasons = f" {own}"
    if len(failures) > 1:
        reasons = "".join(f"\n  {name}: {failure}" for name, failure in failures.items())
    return ImageUnavailable(f"{reference} is not available for {arch}:{reasons}", hint=own.hint)


# ---- images on an engine --------------------------------------------------------------------------------------


def _here(host: DockerHost, reference: str, mirrors: Sequence[str]) -> Iterator[Image]:
    """Every image of the engine that matches the reference, for any architecture."""
    with engine_errors(f"looking for {reference}"):
        if is_image_id(reference):
            yield from _inspected(host, reference, reference)
            return
        wanted = parse_reference(reference)
        for name in (wanted, *(wanted.at(mirror) for mirror in mirrors)):
            yield from _inspected(host, str(name), reference, name)
        if wanted.digest:
            for row in host.client.api.images():
                if any(digest == wanted.digest for _, digest in _digests(row)):
                    yield from _inspected(host, row["Id"], reference, wanted)


def _inspected(host: DockerHost, name: str, reference: str, source: Reference | None = None) -> Iterator[Image]:
    """The engine's image of that name, if wheel tags have a name for its architecture."""
    from docker.errors import ImageNotFound

    try:
        attributes = host.client.images.get(name).attrs
    except ImageNotFound:
        return
    arch = architecture_of(attributes)
    if arch is None:
        return
    configuration = attributes["Config"] or {}
    yield Image(
        id=attributes["Id"],
        reference=reference,
        digest=_digest(_digests(attributes), source),
        arch=arch,
        environ=MappingProxyType(dict(line.partition("=")[::2] for line in configuration.get("Env") or ())),
        entrypoint=tuple(configuration.get("Entrypoint") or ()),
        size=attributes["Size"],
    )


def _digests(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The repositories that an image was pulled from or pushed to, each with its digest there."""
    return [
        (repository, digest)
        for repository, _, digest in (name.partition("@") for name in attributes.get("RepoDigests") or ())
    ]


def _digest(digests: Sequence[tuple[str, str]], source: Reference | None) -> str:
    """The requested digest, otherwise the one at that source, otherwise any."""
    every = [digest for _, digest in digests]
    if source and source.digest in every:
        return source.digest
    there = [digest for repository, digest in digests if source and repository == source.repository]
    return next(iter([*there, *every]), "")


def _absent(
    host: DockerHost, reference: str, arch: Architecture, mirrors: Sequence[str], *, offline: bool
) -> ImageUnavailable:
    others = ", ".join(dict.fromkeys(str(image.arch) for image in _here(host, reference, mirrors)))
    there = f"the engine at {host.address} has {reference} only for {others}, not for {arch}"
    if not others:
        there = f"the engine at {host.address} does not have {reference}"
    if is_image_id(reference):
        return ImageUnavailable(there, hint="docker images --no-trunc, with the same DOCKER_HOST")
    assert offline  # noqa: S101 - else it would have been pulled
    return ImageUnavailable(
        f"{there}, and --offline forbids pulling", hint="run the same command once without --offline"
    )


# ---- pulling --------------------------------------------------------------------------------------------------


_ANOTHER = "--image REPOSITORY:TAG, with an image that exists"


class _PullFailed(Exception):  # noqa: N818 - reads as what happened
    """A registry did not deliver the image, with the reason; `passing` if a retry may help."""

    def __init__(self, reason: str, hint: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.hint = hint
        self.passing = passing


def _pulled(
    host: DockerHost, source: Reference, reference: str, arch: Architecture, listener: Listener
) -> Image | _PullFailed:
    """Pull from one registry, with retries where they may help; the pulled image is checked before it is used."""
    import tenacity

    retry = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=0.5, max=8),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, _PullFailed) and error.passing),
        reraise=True,
    )
    with engine_errors(f"pulling {source}"):
        try:
            retry(_pull, host, source, arch, listener)
        except _PullFailed as failure:
            return failure
        image = next(_inspected(host, str(source), reference, source), None)
    if image is None or image.arch != arch:
        what = f"for {image.arch}" if image else "for an architecture without a name in wheel tags"
        return _PullFailed(f"the image of that name on {source.host} is {what}", _ANOTHER)
    if source.digest and image.digest != source.digest:
        return _PullFailed(f"{source.host} delivered an image with the digest {image.digest}", _ANOTHER)
    return image


def _pull(host: DockerHost, source: Reference, arch: Architecture, listener: Listener) -> None:
    from docker.errors import DockerException
    from urllib3.exceptions import HTTPError

    try:
        items = host.client.api.pull(
            source.repository, tag=source.digest or source.tag, platform=arch.oci, stream=True, decode=True
        )
        _follow(_without_errors(items), str(source), listener)
    except DockerException as error:
        raise _explained(error, host.address, source) from error
    except HTTPError as error:  # docker-py reads progress without requests, so its exceptions are not converted
        raise EngineUnavailable(
            f"pulling {source}: the connection to the Docker Engine at {host.address} broke off",
            hint="docker info, with the same DOCKER_HOST",
        ) from error


def _without_errors(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Raise the errors that arrive among the progress items once layers are transferred."""
    from docker.errors import APIError

    for item in items:
        if "error" in item:
            raise APIError(item["error"], explanation=item["error"])
        yield item


def _follow(items: Iterator[Mapping[str, Any]], what: str, listener: Listener) -> None:
    """Report the transferred bytes, then the unpacking, which takes long for images with compilers."""
    layers, told = _Layers(), -_TICK
    for item in items:
        layers.take(item)
        if layers.complete:
            listener(Transfer(what, layers.done, layers.done))
            with chore(f"unpacking {what}", listener):
                for _ in items:
                    pass
        elif layers.sizes and layers.done - told >= _TICK:
            told = layers.done
            listener(Transfer(what, layers.done, layers.total))


@dataclass
class _Layers:
    """The total progress of the layers that an engine fetches; layers that it has already do not count."""

    sizes: dict[str, int] = field(default_factory=dict)
    loaded: dict[str, int] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)

    @property
    def done(self) -> int:
        return sum(self.loaded.values())

    @property
    def total(self) -> int | None:
        """The total size; None until the size of every layer is known, which happens when its turn comes."""
        return sum(self.sizes.values()) if self.sizes.keys() >= self.pending else None

    @property
    def complete(self) -> bool:
        return bool(self.sizes) and not self.pending

    def take(self, item: Mapping[str, Any]) -> None:
        layer, status = str(item.get("id", "")), item.get("status")
        if status == "Pulling fs layer":
            self.pending.add(layer)
        elif status == "Downloading":
            progress = item.get("progressDetail") or {}
            self.loaded[layer] = progress.get("current", 0)
            self.sizes[layer] = progress.get("total", 0)
        elif status == "Download complete":
            # The smallest layers are complete before any progress is reported.
            self.loaded[layer] = self.sizes.setdefault(layer, 0)
            self.pending.discard(layer)


# ---- errors of registries -------------------------------------------------------------------------------------

# Engines pass on the registries' error texts, with few status codes.
_REFUSED = re.compile(
    r"denied|unauthorized|authentication required|no basic auth|(?:HTTP|StatusCode:) 40[13]|toomanyrequests"
    r"|credentials store",
    re.IGNORECASE,
)
_MISSING = re.compile(r"not found|(?:manifest|name) unknown", re.IGNORECASE)
_OTHER_PLATFORM = re.compile(r"no match(?:ing manifest)? for|does not match the specified platform", re.IGNORECASE)
_FULL = re.compile(r"no space left on device", re.IGNORECASE)
_UNTRUSTED = re.compile(r"x509|HTTP response to HTTPS client", re.IGNORECASE)

_CLIENT_ERROR, _SERVER_ERROR = 400, 500


def _explained(error: Exception, address: str, source: Reference) -> _PullFailed | DiskFull:
    text = " ".join(str(getattr(error, "explanation", None) or error).split())
    if _FULL.search(text):
        return DiskFull(
            f"no space left for {source} on the Docker host {address}",
            hint="docker system df; docker image prune",
        )
    if _OTHER_PLATFORM.search(text):
        return _PullFailed(f"{source.host} has no image for that architecture", _ANOTHER)
    if _REFUSED.search(text):
        return _PullFailed(f"{source.host} refuses: {text}", source.login)
    if _MISSING.search(text):
        what = "digest" if source.digest else "tag"
        return _PullFailed(f"{source.host} has no such {what} in {source.path}", _ANOTHER)
    if _UNTRUSTED.search(text):
        return _PullFailed(f"the engine does not trust {source.host}: {text}", f"docker pull {source}")
    refused = _CLIENT_ERROR <= (getattr(error, "status_code", None) or _SERVER_ERROR) < _SERVER_ERROR
    return _PullFailed(
        f"{source.host} did not deliver it: {text}", f"docker pull {source}, or --mirrors HOST", passing=not refused
    )
