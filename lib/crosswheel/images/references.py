"""References to container images, and their equivalents on a mirror.

The grammar is that of the OCI distribution specification; the short names of Docker Hub follow Docker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from crosswheel.errors import UsageError
from crosswheel.system.addresses import redact

_HUB = "docker.io"
_HUBS_OWN = "library/"

_HOST = r"(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:)|\[[0-9a-fA-F:]+\])(?::\d+)?"
_PATH = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
_DIGEST = r"sha256:[0-9a-f]{64}"
_REFERENCE = re.compile(rf"(?:({_HOST})/)?({_PATH})(?::([\w][\w.-]{{0,127}}))?(?:@({_DIGEST}))?", re.ASCII)
_MIRROR = re.compile(rf"({_HOST})(?:/({_PATH}))?/?", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """An image in a registry, by digest or by tag; beside a digest, the tag is only informative."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    @property
    def repository(self) -> str:
        """The repository as engines write it, with the short names of Docker Hub."""
        return self.path.removeprefix(_HUBS_OWN) if self.host == _HUB else f"{self.host}/{self.path}"

    @property
    def login(self) -> str:
        """The command to log in to the registry."""
        return "docker login" if self.host == _HUB else f"docker login {self.host}"

    def at(self, mirror: str) -> Reference:
        """The same image at HOST or HOST/PATH: ``quay.io/pypa/x`` -> ``HOST/PATH/pypa/x``. Raises UsageError."""
        match = _MIRROR.fullmatch(mirror)
        if not match:
            raise UsageError(
                f"mirrors: {redact(mirror)!r} is no registry", hint="--mirrors HOST or HOST/PATH, without https://"
            )
        return replace(self, host=match[1], path="/".join(filter(None, (match[2], self.path))))


def parse_reference(text: str) -> Reference:
    """Parse ``REPOSITORY:TAG``, ``REPOSITORY@sha256:...`` or both. Raises UsageError for anything else."""
    match = _REFERENCE.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is no image", hint="write it as REPOSITORY:TAG or REPOSITORY@sha256:DIGEST")
    host, path, tag, digest = (part or "" for part in match.groups())
    if not tag and not digest:
        raise UsageError(
            f"image {text!r} has neither a tag nor a digest, and `latest` changes its meaning",
            hint=f"{text}:TAG, or {text}@sha256:DIGEST",
        )
    if not host:
        host, path = _HUB, path if "/" in path else f"{_HUBS_OWN}{path}"
    return Reference(host, path, tag, digest)


def is_image_id(text: str) -> bool:
    """Whether the text is an image id on one engine (``sha256:...`` of its configuration), not a registry reference."""
    return re.fullmatch(_DIGEST, text) is not None
