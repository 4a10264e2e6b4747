"""Images that builds run in: which ones are pinned, which an engine has, and how it gets the others.

An image of another architecture than was asked for is never used. Engines do hand them out: a tag means whatever was
pulled under it last, for whichever platform (moby/moby#48197, docker/cli#2590).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from crosswheel.containers.creation import architecture_of
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.references import Reference, is_image_id, parse_reference
from crosswheel.errors import DiskFull, EngineUnavailable, ImageUnavailable
from crosswheel.model.job import Listener, Note, Transfer, chore
from crosswheel.model.targets import Architecture, Policy, Target, architectures, load_table, parse_platform

Family: TypeAlias = Literal["pypa", "dockcross"]

_ATTEMPTS = 3
_TICK = 2 * 1024 * 1024  # bytes between two progress events


@dataclass(frozen=True)
class ImagePin:
    """A row of images.toml; where there is a digest, the tag only says what was current when it was pinned."""

    repository: str
    tag: str
    digest: str = ""

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def pinned_images(family: Family) -> dict[tuple[Policy, Architecture], ImagePin]:
    """Every pin of a family by what it builds for; dockcross's images themselves are all x86_64."""
    table = load_table("images.toml")[family]
    return {parse_platform(platform): ImagePin(**row) for platform, row in table.items()}


def image_arch(target: Target, family: Family) -> Architecture:
    """Dockcross's images are for the machine that compiles, whatever it compiles for."""
    return architectures()["x86_64"] if family == "dockcross" else target.arch


def pinned_image(target: Target, family: Family = "pypa") -> ImagePin:
    """The newest that promises no more than the target's policy; raises ImageUnavailable."""
    pins = {policy: pin for (policy, arch), pin in pinned_images(family).items() if arch == target.arch}
    fitting = [policy for policy in pins if policy.libc == target.policy.libc and policy <= target.policy]
    if fitting:
        return pins[max(fitting)]
    known = sorted(pins)
    others = [str(policy) for policy in known if policy.libc == target.policy.libc]
    there = f"there are {', '.join(map(str, known))}" if known else f"there is none for {target.arch}"
    raise ImageUnavailable(
        f"no image of {family} is pinned for {target.policy} on {target.arch}; {there}",
        hint=", or ".join([*(f"--policy {name}" for name in others[:1]), "--image REPOSITORY:TAG"]),
    )


@dataclass(frozen=True)
class Image:
    """One that an engine has: `id` is what containers are made of, `reference` what was asked for, `size` in bytes.

    `digest` is its manifest's in a registry, empty for one that never was in any. Where something was added to it,
    `layer` is the image that containers are made of in its stead.
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
        """The id of what containers are made of."""
        return self.layer or self.id


def find_image(host: DockerHost, reference: str, arch: Architecture, mirrors: Sequence[str] = ()) -> Image | None:
    """What the engine has of that reference for that architecture, under its own name or a mirror's.

    Raises UsageError for a reference or mirror that is none, EngineUnavailable.
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
    """The image, pulled unless the engine has it: from the mirrors in their order, then from its own registry.

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
            listener(Note(f"{source}: {pulled}; asking elsewhere"))
    raise _nowhere(reference, arch, failures)


def _nowhere(reference: str, arch: Architecture, failures: Mapping[str, _PullFailed]) -> ImageUnavailable:
    """The last place was asked last because it is the image's own."""
    *_, own = failures.values()
    reasons = f" {own}"
    if len(failures) > 1:
        reasons = "".join(f"\n  {name}: {failure}" for name, failure in failures.items())
    return ImageUnavailable(f"{reference} cannot be had for {arch}:{reasons}", hint=own.hint)


# ---- what an engine has ---------------------------------------------------------------------------------------


def _here(host: DockerHost, reference: str, mirrors: Sequence[str]) -> Iterator[Image]:
    """Every image of the engine that the reference can mean, of whatever architecture."""
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
    """The image that the engine knows by that name, if it is of an architecture that wheels have a name for."""
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
    """Repositories that an image was pulled from or pushed to, each with the digest that it has there."""
    return [
        (repository, digest)
        for repository, _, digest in (name.partition("@") for name in attributes.get("RepoDigests") or ())
    ]


def _digest(digests: Sequence[tuple[str, str]], source: Reference | None) -> str:
    """The one that was asked for, else the one at that source, else any."""
    every = [digest for _, digest in digests]
    if source and source.digest in every:
        return source.digest
    there = [digest for repository, digest in digests if source and repository == source.repository]
    return next(iter([*there, *every]), "")


def _absent(
    host: DockerHost, reference: str, arch: Architecture, mirrors: Sequence[str], *, offline: bool
) -> ImageUnavailable:
    others = ", ".join(dict.fromkeys(str(image.arch) for image in _here(host, reference, mirrors)))
    there = f"the engine at {host.address} has {reference} for {others} only, and not for {arch}"
    if not others:
        there = f"the engine at {host.address} does not have {reference}"
    if is_image_id(reference):
        return ImageUnavailable(there, hint="docker images --no-trunc, with the same DOCKER_HOST")
    assert offline  # noqa: S101 - else it would have been pulled
    return ImageUnavailable(
        f"{there}, and --offline forbids pulling it", hint="once the same command without --offline"
    )


# ---- pulling --------------------------------------------------------------------------------------------------


_ANOTHER = "--image REPOSITORY:TAG, with one that is there"


class _PullFailed(Exception):  # noqa: N818 - reads as what happened
    """One registry did not give the image, and why; `passing` where it may do so in a moment."""

    def __init__(self, reason: str, hint: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.hint = hint
        self.passing = passing


def _pulled(
    host: DockerHost, source: Reference, reference: str, arch: Architecture, listener: Listener
) -> Image | _PullFailed:
    """From one registry, tried again where that may help; what was pulled is looked at before anybody has it."""
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
        what = f"for {image.arch}" if image else "of an architecture that wheels have no name for"
        return _PullFailed(f"what {source.host} has under that name is {what}", _ANOTHER)
    if source.digest and image.digest != source.digest:
        return _PullFailed(f"{source.host} gave an image with the digest {image.digest}", _ANOTHER)
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
    except HTTPError as error:  # the library reads progress past requests, and past its errors
        raise EngineUnavailable(
            f"pulling {source}: the Docker Engine at {host.address} is gone",
            hint="docker info, with the same DOCKER_HOST",
        ) from error


def _without_errors(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """What goes wrong once layers flow comes as one of the items."""
    from docker.errors import APIError

    for item in items:
        if "error" in item:
            raise APIError(item["error"], explanation=item["error"])
        yield item


def _follow(items: Iterator[Mapping[str, Any]], what: str, listener: Listener) -> None:
    """Tell of the bytes that come, then that they are unpacked, which takes long for images of compilers."""
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
    """What an engine says of the layers that it fetches, added up; those that it has already do not count."""

    sizes: dict[str, int] = field(default_factory=dict)
    loaded: dict[str, int] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)

    @property
    def done(self) -> int:
        return sum(self.loaded.values())

    @property
    def total(self) -> int | None:
        """None until every layer has told its size, which it does when its turn comes."""
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
            # The smallest are there before there was any progress to tell.
            self.loaded[layer] = self.sizes.setdefault(layer, 0)
            self.pending.discard(layer)


# ---- what registries say --------------------------------------------------------------------------------------

# Engines pass the words of registries on, and have few codes of their own for them.
_REFUSED = re.compile(
    r"denied|unauthorized|authentication required|no basic auth|HTTP 40[13]|toomanyrequests|credentials store",
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
            f"no space left for {source} at the Docker Engine {address}",
            hint="docker system df; docker image prune",
        )
    if _OTHER_PLATFORM.search(text):
        return _PullFailed(f"{source.host} does not have it for that architecture", _ANOTHER)
    if _REFUSED.search(text):
        return _PullFailed(f"{source.host} refuses: {text}", source.login)
    if _MISSING.search(text):
        what = "digest" if source.digest else "tag"
        return _PullFailed(f"{source.host} has no such {what} in {source.path}", _ANOTHER)
    if _UNTRUSTED.search(text):
        return _PullFailed(f"the engine does not trust {source.host}: {text}", f"docker pull {source}")
    refused = _CLIENT_ERROR <= (getattr(error, "status_code", None) or _SERVER_ERROR) < _SERVER_ERROR
    return _PullFailed(
        f"{source.host} did not give it: {text}", f"docker pull {source}, or --mirrors HOST", passing=not refused
    )
