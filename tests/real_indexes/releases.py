"""A project that is ready to be released, and the program that releases it, in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from crosswheel.commands import run_verb
from crosswheel.errors import CrosswheelError, SourceError
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from crosswheel.testing import tiny_elf, tiny_wheel
from real_indexes.clients import sha256
from real_indexes.servers import Served
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
jobs = 1
"""
_CHANGELOG = "# Changes\n\n## 1.0\n\nThe first that is good for something.\n"
_GIT = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
_LONGEST = 240  # seconds


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

    def release(self, **options: Any) -> tuple[int, str]:
        """In this process, where nobody can be asked: exit code, and all that a user gets to see."""
        stream = io.StringIO()
        with patch.dict(os.environ, self.environ, clear=True):
            try:
                code = run_verb("release", self.folder, {"yes": True, **options}, stream)
            except CrosswheelError as error:
                return error.exit_code, f"{stream.getvalue()}{error}"
        return code, stream.getvalue()

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
        index = Index(PipSettings(index_url=self.indexes[name].simple_url), through)
        try:
            return {file.filename: (file.digests or {})["sha256"] for file in index.files_of("tiny")}
        except SourceError:  # the index has never heard of it
            return {}

    def assert_released(self, through: Path, *names: str) -> None:
        """Every index serves every file with its very bytes and no other, and the manifest says so."""
        for name in names or self.indexes:
            assert self.served(name, through) == self.files
        manifest = json.loads((self.wheelhouse / "release.json").read_text())
        assert {file["file"]: file["sha256"] for file in manifest["files"]} == self.files
        assert [(index["name"], index["ok"]) for index in manifest["indexes"]] == [
            (name, True) for name in names or self.indexes
        ]
        beside = {path.name for path in self.wheelhouse.iterdir() if not path.name.startswith(".")}
        assert beside == {*self.files, "release.json", "release.md"}


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
        password = [f"password = {served.password}"] if served.password else []
        lines = [f"[{name}]", f"repository = {served.upload_url}", f"username = {served.username}", *password]
        sections.append("\n".join(lines))
    (home / ".pypirc").write_text("\n".join(sections))


def wheel(folder: Path, minor: int, content: bytes = b"") -> Path:
    library = tiny_elf(exports=["PyInit_fast"])
    members = {
        "tiny-1.0.dist-info/METADATA": METADATA,
        "tiny/__init__.py": content,
        f"tiny/fast.cpython-3{minor}-aarch64-linux-gnu.so": library,
    }
    return tiny_wheel(folder, tag=f"cp3{minor}-cp3{minor}-manylinux_2_17_aarch64", members=members)
