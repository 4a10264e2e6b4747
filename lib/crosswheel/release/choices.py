"""What pip takes from an index for a target: asked of pip itself, which downloads and installs nothing."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from crosswheel.errors import TimeLimit
from crosswheel.index import redact
from crosswheel.process import CommandFailed, Processes
from crosswheel.targets import Target

_LONGEST = 600.0  # seconds; without core metadata on the index it downloads a wheel


@dataclass(frozen=True)
class Choice:
    """The file that pip takes for a target; where it takes none, `filename` is empty, and `reason` is pip's own."""

    target: Target
    filename: str
    sha256: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Pip:
    """Our own pip, told to look at one index and nowhere else; `address` may hold who reads it."""

    address: str = field(repr=False)
    cert: str
    client_cert: str
    processes: Processes
    environ: Mapping[str, str] = field(repr=False)

    def choice(self, requirement: str, target: Target) -> Choice:
        """What it would install on a machine that is just as old as the target's policy; sdists are left aside."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "install", "--dry-run", "--report", "-", "--quiet", "--no-deps"]
            command += ["--ignore-installed", "--no-cache-dir", "--only-binary", ":all:", "--target", folder]
            command += ["--implementation", "cp", "--abi", target.python.abi]
            # Its newest patch release speaks for a Python, as in plans.
            command += ["--python-version", f"{target.python.version}.99"]
            command += [word for platform in target.accepted_platforms for word in ("--platform", platform)]
            try:
                deadline = time.monotonic() + _LONGEST
                report = json.loads(self.processes.run([*command, requirement], env=self._environ, deadline=deadline))
            except CommandFailed as error:
                return Choice(target, "", reason=_reason(error))
            except TimeLimit:
                return Choice(target, "", reason=f"nothing, for pip had no answer after {_LONGEST:.0f} s")
        info = report["install"][0]["download_info"]
        return Choice(target, unquote(urlsplit(info["url"]).path.rpartition("/")[2]), _sha256(info))

    @property
    def _environ(self) -> dict[str, str]:
        """The address goes by the environment: everybody on this machine can read command lines."""
        others = ("PIP_", "TWINE_", *(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if self.cert else ()))
        kept = {name: value for name, value in self.environ.items() if not name.startswith(others)}
        parts = urlsplit(self.address)
        return {
            **kept,
            "PYTHONSAFEPATH": "1",
            "PIP_CONFIG_FILE": os.devnull,  # which may name other indexes
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_INDEX_URL": self.address,
            "PIP_KEYRING_PROVIDER": "disabled",
            "PIP_NO_INPUT": "1",
            **({"PIP_CERT": self.cert} if self.cert else {}),
            **({"PIP_CLIENT_CERT": self.client_cert} if self.client_cert else {}),
            **({"PIP_TRUSTED_HOST": parts.netloc.rpartition("@")[2]} if parts.scheme == "http" else {}),
        }


def _reason(error: CommandFailed) -> str:
    """Its last word."""
    said = [line.removeprefix("ERROR: ") for line in error.output.splitlines() if line.startswith("ERROR: ")]
    return redact(said[-1]) if said else f"pip ended with {error.ending}"


def _sha256(info: Mapping[str, object]) -> str:
    archive = info.get("archive_info")
    hashes = archive.get("hashes") if isinstance(archive, dict) else None
    return str(hashes.get("sha256", "")) if isinstance(hashes, dict) else ""
