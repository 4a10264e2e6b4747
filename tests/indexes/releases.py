"""A project that is ready to be released, and the program that releases it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.index import Index, PipSettings
from crosswheel.testing import tiny_elf, tiny_wheel
from indexes.clients import sha256
from indexes.servers import Served
from tiny_projects import tar_of

METADATA = b"""\
Metadata-Version: 2.1
Name: tiny
Version: 1.0
Requires-Python: >=3.10
Description-Content-Type: text/x-rst

Tiny, *really*.
"""
_PYPROJECT = """\
[project]
name = "tiny"
version = "1.0"

[tool.crosswheel]
python = ["cp312", "cp313"]
patience = 30
"""
_CHANGELOG = "# Changes\n\n## 1.0\n\nThe first that is good for something.\n"
_GIT = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
_LONGEST = 240  # seconds
PATIENCE = 120  # seconds


@dataclass(frozen=True)
class Project:
    """A commit with a tag, a changelog and a wheelhouse; its home has nothing but a .pypirc."""

    folder: Path
    indexes: Mapping[str, Served]
    extra: Mapping[str, str] = field(default_factory=dict)
    """More of its environment."""

    @property
    def wheelhouse(self) -> Path:
        return self.folder / "wheelhouse"

    @property
    def files(self) -> dict[str, str]:
        """What is to be released, each with its sha256."""
        return {path.name: sha256(path) for path in self.wheelhouse.iterdir() if path.suffix in {".whl", ".gz"}}

    @property
    def environ(self) -> dict[str, str]:
        environ = {**next(iter(self.indexes.values())).environ, "HOME": str(self.folder.parent / "home"), **self.extra}
        environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
        for name in ("TWINE_USERNAME", "TWINE_PASSWORD", "PIP_INDEX_URL"):
            environ.pop(name)
        return {**environ, **self.extra}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words) as process:
            out, _ = process.communicate(timeout=_LONGEST)
        return subprocess.CompletedProcess(process.args, process.returncode, out)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """What it says on either stream is one text."""
        return subprocess.Popen(
            [sys.executable, "-m", "crosswheel", *words],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def git(self, *words: str) -> None:
        command = ["git", *_GIT, *words]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=_LONGEST)

    def served(self, name: str, through: Path) -> dict[str, str]:
        """What an index has of it, each file with its sha256; `through` is an empty folder."""
        files = Index(PipSettings(index_url=self.indexes[name].simple_url), through).files_of("tiny")
        return {file.filename: (file.digests or {})["sha256"] for file in files}


def make_project(folder: Path, indexes: Mapping[str, Served], settings: str = "") -> Project:
    """`settings` are more lines of [tool.crosswheel]."""
    project = Project(folder / "project", indexes)
    project.wheelhouse.mkdir(parents=True)
    write_pypirc(folder / "home", indexes)
    (project.folder / "pyproject.toml").write_text(_PYPROJECT + settings)
    (project.folder / "CHANGELOG.md").write_text(_CHANGELOG)
    (project.folder / ".gitignore").write_text("wheelhouse/\n")
    for minor in (12, 13):
        wheel(project.wheelhouse, minor)
    tar_of({"PKG-INFO": METADATA, "pyproject.toml": b""}, project.wheelhouse)
    project.git("init", "--quiet")
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "A release")
    project.git("tag", "v1.0")
    return project


def write_pypirc(home: Path, indexes: Mapping[str, Served]) -> None:
    home.mkdir()
    sections = [f"[distutils]\nindex-servers = {' '.join(indexes)}"]
    for name, served in indexes.items():
        login = f"username = {served.username}\npassword = {served.password}"
        sections.append(f"[{name}]\nrepository = {served.upload_url}\n{login}")
    (home / ".pypirc").write_text("\n".join(sections))


def wheel(folder: Path, minor: int, content: bytes = b"") -> Path:
    library = tiny_elf(exports=["PyInit_fast"])
    members = {
        "tiny-1.0.dist-info/METADATA": METADATA,
        "tiny/__init__.py": content,
        f"tiny/fast.cpython-3{minor}-aarch64-linux-gnu.so": library,
    }
    return tiny_wheel(folder, tag=f"cp3{minor}-cp3{minor}-manylinux_2_17_aarch64", members=members)
