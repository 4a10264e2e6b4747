"""twine and pip as anyone runs them, in processes of their own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from crosswheel.testing import tiny_wheel
from real_indexes.servers import Served
from tiny_projects import PKG_INFO, tar_of

_LONGEST = 120  # seconds


def twine(served: Served, *files: Path) -> subprocess.CompletedProcess[str]:
    command = ["twine", "upload", "--non-interactive", "--disable-progress-bar", "--config-file", "/dev/null"]
    return _python(served, *command, "--repository-url", served.upload_url, *map(str, files))


def pip_install(served: Served, folder: Path, requirement: str = "tiny") -> subprocess.CompletedProcess[str]:
    options = ["--no-cache-dir", "--no-deps", "--retries", "0", "--target", str(folder)]
    return _python(served, "pip", "install", *options, requirement)


def _python(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, env=served.environ, capture_output=True, encoding="utf-8", timeout=_LONGEST, check=False
    )


def wheel(folder: Path, content: str = "", *, version: str = "1.0", tag: str = "py3-none-any") -> Path:
    """A wheel of the project tiny with a module that can be imported."""
    return tiny_wheel(folder, version=version, tag=tag, members={"tiny.py": content.encode()})


def sdist(folder: Path) -> Path:
    return tar_of({"PKG-INFO": PKG_INFO, "pyproject.toml": b""}, folder)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
