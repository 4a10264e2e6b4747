"""Where podman's Docker API listens: podman-system-service(1), and the units podman.socket of systemd."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

_SOCKET = Path("podman", "podman.sock")


def addresses(environ: Mapping[str, str]) -> Iterator[str]:
    """The addresses in the order in which they are tried: CONTAINER_HOST alone, or the user's socket, then root's.

    Sockets that are not there, or that this user cannot open, are left out.
    """
    if named := environ.get("CONTAINER_HOST"):
        yield named
        return
    own = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    for path in (Path(own) / _SOCKET, Path("/run") / _SOCKET):
        if os.access(path, os.W_OK):
            yield f"unix://{path}"


def is_rootless(address: str) -> bool:
    """Whether the podman at an address is an ordinary user's: its API for Docker clients does not say so (4.3)."""
    path = Path(urlsplit(address).path)
    if not address.startswith("unix://"):
        return "user" in path.parts  # ssh://MACHINE/run/user/UID/podman/podman.sock
    try:
        return path.stat().st_uid != 0
    except OSError:
        return False
