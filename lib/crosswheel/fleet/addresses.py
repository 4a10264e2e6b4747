"""The address of a scheduler, and the certificates for it. Tasks are code: whoever may send them may run anything."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from crosswheel.errors import MissingTool, UsageError

if TYPE_CHECKING:
    from distributed.security import Security

Role = Literal["client", "worker"]

CA, NAMES = "ca", ("scheduler", "worker", "client")
"""The names of the certificate authority, and of those that it certifies."""


@dataclass(frozen=True)
class SchedulerAddress:
    """``tls://host:8786``, with the folder of certificates; or ``tcp://`` on this machine."""

    text: str
    certificates: Path

    @property
    def is_encrypted(self) -> bool:
        return self.text.startswith("tls://")

    def security(self, role: Role) -> Security:
        """The certificates of a role. Raises UsageError if one is not there."""
        from distributed.security import Security

        if not self.is_encrypted:
            return Security()
        files = [certificate(self.certificates, CA), *(make(self.certificates, role) for make in (certificate, key))]
        if missing := [path.name for path in files if not path.is_file()]:
            raise UsageError(
                f"{self.certificates} has no {' and no '.join(missing)}",
                hint="crosswheel certificates, once, and its files on each machine; or --certificates FOLDER",
            )
        authority, own, own_key = map(str, files)
        return Security(
            require_encryption=True,
            tls_ca_file=authority,
            **{f"tls_{role}_cert": own, f"tls_{role}_key": own_key},
        )


def certificate(folder: Path, name: str) -> Path:
    return folder / f"{name}.pem"


def key(folder: Path, name: str) -> Path:
    return folder / f"{name}-key.pem"


def certificates_folder(given: Path | None, environ: Mapping[str, str]) -> Path:
    """The folder that was given, or the one in the user's folder for configuration."""
    if given:
        return given
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    return Path(home, "crosswheel", "certificates")


def scheduler_address(text: str, certificates: Path) -> SchedulerAddress:
    """The parsed address. Raises UsageError; for plain tcp to another machine, too."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port is None or parts.scheme not in {"tls", "tcp"}:
        raise UsageError(f"--scheduler: {text!r} is not an address of a scheduler", hint="--scheduler tls://HOST:8786")
    if parts.scheme == "tcp" and not _is_loopback(host):
        raise UsageError(
            f"--scheduler: {text} is not encrypted and does not ask who sends: anybody on the network could run code "
            "on the workers",
            hint="crosswheel certificates, and --scheduler tls://HOST:8786",
        )
    return SchedulerAddress(f"{parts.scheme}://{parts.netloc}", certificates)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_installed() -> None:
    """Raise MissingTool if dask.distributed is not installed."""
    from importlib.util import find_spec

    if find_spec("distributed") is None:
        raise MissingTool(
            "many machines need dask.distributed, which is not installed here",
            hint='pip install "crosswheel[distributed]"',
        )
