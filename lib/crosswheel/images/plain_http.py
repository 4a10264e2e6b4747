"""Which registries may be used without TLS: by Docker's rule, those of this machine and those that it is told of."""

from __future__ import annotations

import ipaddress
import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

_SETTINGS = Path("/etc/docker/daemon.json")


def is_safe(url: str) -> bool:
    """Whether a request to the address has TLS, or needs none."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and may_be_plain(parts.netloc.rpartition("@")[2]))


def may_be_plain(host: str) -> bool:
    """Whether a registry, as HOST or HOST:PORT, may be used without TLS."""
    name = urlsplit(f"//{host}").hostname or ""
    return _is_here(name) or any(_covers(entry, host, name) for entry in _insecure_registries())


def _is_here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _insecure_registries() -> list[str]:
    """The insecure-registries of this machine's Docker Engine: hosts, hosts with ports, and networks."""
    with suppress(OSError, ValueError, AttributeError):
        found = json.loads(_SETTINGS.read_text("utf-8")).get("insecure-registries")
        return [entry for entry in found or () if isinstance(entry, str)]
    return []


def _covers(entry: str, host: str, name: str) -> bool:
    with suppress(ValueError):  # one of them is no address
        return ipaddress.ip_address(name) in ipaddress.ip_network(entry)
    return entry == host
