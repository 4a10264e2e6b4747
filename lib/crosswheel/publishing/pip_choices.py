"""The file that pip chooses from an index for a target: a real pip decides, and downloads and installs nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from crosswheel.errors import TimeLimit
from crosswheel.model.targets import Target
from crosswheel.system.addresses import redact
from crosswheel.system.process import CommandFailed, Processes, describe_returncode
from crosswheel.system.scratch import temporary_folder
from crosswheel.system.trust import Trust

_LONGEST = 600  # seconds for a target; if the index has no core metadata, pip downloads a wheel
_SILENT = "nothing: pip did not answer within {} s"
_PROGRAM = Path(__file__).with_name("pip_worker.py")


@dataclass(frozen=True)
class Choice:
    """pip's choice for a target; without one, `filename` is empty and `reason` is pip's error."""

    target: Target
    filename: str
    sha256: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Pip:
    """The installed pip, restricted to one index; `address` may contain credentials."""

    address: str = field(repr=False)
    trust: Trust
    processes: Processes
    environ: Mapping[str, str] = field(repr=False)

    def choices(self, requirement: str, targets: Sequence[Target]) -> list[Choice]:
        """Pip's choice for each target, on a machine exactly as old as the target's policy; sdists are ignored."""
        with temporary_folder() as place:
            folder = str(place)
            questions = [json.dumps(_question(requirement, target, folder)) for target in targets]
            command = [sys.executable, str(_PROGRAM), str(_LONGEST), folder, *questions]
            # Leftovers of a killed pip are removed with the folder.
            # pip finds no programs, as it starts lsb_release and rustc for each question, to tell the index of them.
            environ = {**self._environ, "TMPDIR": folder, "PATH": folder}
            deadline = time.monotonic() + _LONGEST * (len(targets) + 1)
            try:
                codes = json.loads(self.processes.run(command, env=environ, deadline=deadline))
            except CommandFailed as error:
                return [Choice(target, "", reason=_reason(error.returncode, error.output)) for target in targets]
            except TimeLimit:
                return [Choice(target, "", reason=_SILENT.format(_LONGEST)) for target in targets]
            answers = [Path(folder, str(at)) for at, _ in enumerate(targets)]
            return list(map(_choice, targets, codes, answers))

    @property
    def _environ(self) -> dict[str, str]:
        """The environment of pip, with the index address: command lines are visible to all users of the machine."""
        others = ("PIP_", "TWINE_")
        kept = {name: value for name, value in self.environ.items() if not name.startswith(others)}
        parts = urlsplit(self.address)
        return {
            **kept,
            "PYTHONSAFEPATH": "1",
            "PYTHONUTF8": "1",
            "PIP_CONFIG_FILE": os.devnull,  # pip's configuration may name other indexes
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_INDEX_URL": self.address,
            "PIP_KEYRING_PROVIDER": "disabled",
            "PIP_NO_INPUT": "1",
            **self.trust.pip_environ,
            **({"PIP_TRUSTED_HOST": parts.netloc.rpartition("@")[2]} if parts.scheme == "http" else {}),
        }


def _question(requirement: str, target: Target, folder: str) -> list[str]:
    """Pip's arguments; the newest patch release stands for a Python, as in plans."""
    return [
        *("install", "--dry-run", "--report", "-", "--quiet", "--no-deps", "--ignore-installed", "--no-cache-dir"),
        *("--only-binary", ":all:", "--target", folder),
        *("--implementation", "cp", "--abi", target.python.abi, "--python-version", f"{target.python.version}.99"),
        *(word for platform in target.accepted_platforms for word in ("--platform", platform)),
        requirement,
    ]


def _choice(target: Target, code: int, answer: Path) -> Choice:
    if code == -signal.SIGALRM:
        return Choice(target, "", reason=_SILENT.format(_LONGEST))
    if code:
        return Choice(target, "", reason=_reason(code, answer.with_suffix(".err").read_text("utf-8", "replace")))
    info = json.loads(answer.with_suffix(".out").read_bytes())["install"][0]["download_info"]
    return Choice(target, unquote(urlsplit(info["url"]).path.rpartition("/")[2]), _sha256(info))


def _reason(code: int, output: str) -> str:
    """The last error in pip's output."""
    said = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    last = next(reversed(said or output.splitlines()), "")
    return redact(last) or f"pip ended with {describe_returncode(code)}"


def _sha256(info: Mapping[str, object]) -> str:
    archive = info.get("archive_info")
    hashes = archive.get("hashes") if isinstance(archive, dict) else None
    return str(hashes.get("sha256", "")) if isinstance(hashes, dict) else ""
