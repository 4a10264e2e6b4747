"""What a page expects to be there: a folder with the project, the files and the index that its commands are about."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import page_samples
from console_blocks import ROOT
from crosswheel.testing import tiny_elf, tiny_wheel
from tiny_projects import tiny_project
from upload_server import UploadServer

Scene: TypeAlias = Callable[[Path, UploadServer], object]

METADATA = """\
Metadata-Version: 2.4
Name: tiny
Version: 1.0
Requires-Python: >=3.10
Description-Content-Type: text/x-rst

Tiny.
"""
NOXFILE = "from crosswheel import sessions\n\nsessions.add()\n"
TASKS = "from crosswheel.tasks import namespace\n"
PYPROJECT = """\
[project]
name = "tiny"
version = "1.0"
requires-python = ">=3.10"

[tool.crosswheel]
arch = ["aarch64"]
python = ["cp312", "cp313"]
"""
PYPIRC = """\
[distutils]
index-servers =
    {name}

[{name}]
repository = {url}
username = me
password = secret
"""


def _run(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, check=True)


def project(folder: Path, pyproject: str = PYPROJECT) -> None:
    """A noxfile, a tasks file and a pyproject.toml."""
    (folder / "noxfile.py").write_text(NOXFILE)
    (folder / "tasks.py").write_text(TASKS)
    (folder / "pyproject.toml").write_text(pyproject)


def release_files(folder: Path, *minors: int) -> list[Path]:
    """Wheels for AArch64 and an sdist of tiny 1.0 in `wheelhouse`."""
    house = folder / "wheelhouse"
    house.mkdir(exist_ok=True)
    wheels = [_wheel(house, minor) for minor in minors or (12, 13)]
    return [*wheels, sdist(house)]


def _wheel(folder: Path, minor: int) -> Path:
    library = tiny_elf(exports=("PyInit_fast",), needed=("libc.so.6",))
    members = {f"fast.cpython-3{minor}-aarch64-linux-gnu.so": library, "tiny-1.0.dist-info/METADATA": METADATA.encode()}
    return tiny_wheel(folder, tag=f"cp3{minor}-cp3{minor}-manylinux_2_17_aarch64", members=members)


def sdist(folder: Path, metadata: str = METADATA) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "tiny-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {"PKG-INFO": metadata, "pyproject.toml": ""}.items():
            member = tarfile.TarInfo(f"tiny-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def index(folder: Path, name: str, server: UploadServer) -> None:
    """A .pypirc in the home folder, which is above the project's, that names the index of this test."""
    (folder.parent / ".pypirc").write_text(PYPIRC.format(name=name, url=server.url))


def good_release(folder: Path, _server: UploadServer) -> None:
    project(folder)
    release_files(folder)
    sdist(folder / "dist")


def bad_release(folder: Path, _server: UploadServer) -> None:
    """The sdist has a mistake in its description, and the commit has the tag of another version."""
    shutil.rmtree(folder / "wheelhouse")
    project(folder, PYPROJECT.replace('"cp312", ', ""))
    release_files(folder, 13)
    sdist(folder / "wheelhouse", METADATA.replace("Tiny.", "The `function."))
    commit(folder, "v1.1")


def commit(folder: Path, tag: str) -> None:
    (folder / ".gitignore").write_text("wheelhouse/\ndist/\n.nox/\n__pycache__/\n")
    for words in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "--quiet", "--message", "a release"],
        ["tag", tag],
    ):
        _run(folder, "git", *words)


def ci(folder: Path, _server: UploadServer) -> None:
    arches = '["x86_64", "aarch64", "riscv64"]'
    pyproject = PYPROJECT.replace('["aarch64"]', arches).replace('python = ["cp312", "cp313"]\n', "")
    project(folder, pyproject.replace(">=3.10", ">=3.11"))


def ci_again(folder: Path, _server: UploadServer) -> None:
    shutil.rmtree(folder / ".github")


def conda(folder: Path, _server: UploadServer) -> None:
    project(folder)
    release_files(folder, 12)
    house = folder / "wheelhouse"
    tiny_wheel(house, tag="cp312-cp312-musllinux_1_2_aarch64")


def readme(folder: Path, _server: UploadServer) -> None:
    """The noxfile alone, as the README says; markupsafe comes from the package index."""
    (folder / "noxfile.py").write_text(NOXFILE)


def readiness(folder: Path, _server: UploadServer) -> None:
    """A project with a lock, and requirements beside it."""
    project(folder, PYPROJECT.replace('">=3.10"\n', '">=3.10"\ndependencies = ["markupsafe"]\n'))
    (folder / "requirements.txt").write_text("markupsafe\n")
    _run(folder, "uv", "lock", "--quiet")


def report(folder: Path, _server: UploadServer) -> None:
    """A project that compiles nothing, after two runs and a release."""
    shutil.copytree(tiny_project("pure", folder.parent), folder, dirs_exist_ok=True)
    run = "crosswheel wheels --arch aarch64 --python cp311,cp312,cp313 --policy manylinux2014 --test never --output"
    for output in ("wheelhouse", "older"):
        _run(folder, *run.split(), output)
    (folder / "release.json").write_text(json.dumps(page_samples.release()))


def first_wheel(folder: Path, _server: UploadServer) -> None:
    """The files that the page shows."""
    page = (ROOT / "docs" / "first-wheel.md").read_text()
    for name, text in re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(text)


def first_release(folder: Path, server: UploadServer) -> None:
    """A project that compiles nothing, committed, with a changelog, and an index that has nothing."""
    shutil.copytree(tiny_project("pure", folder.parent), folder, dirs_exist_ok=True)
    configuration = '[tool.crosswheel]\nrepository = "company"\n'
    project(folder, (folder / "pyproject.toml").read_text() + configuration)
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## 1.0\n\nThe first release.\n")
    index(folder, "company", server)
    commit(folder, "unreleased")


def private_index(folder: Path, server: UploadServer) -> None:
    """The index has one of the files."""
    upload(folder, server)
    project(folder, PYPROJECT + 'repository = "company"\n')
    index(folder, "company", server)


def debugging(folder: Path, _server: UploadServer) -> None:
    """A project that does not compile."""
    shutil.copytree(tiny_project("misses_a_header", folder.parent), folder, dirs_exist_ok=True)
    project(folder, (folder / "pyproject.toml").read_text() + '[tool.crosswheel]\npython = ["cp311"]\n')


def upload(folder: Path, server: UploadServer) -> None:
    """The index has one of the files."""
    project(folder)
    first, *_ = release_files(folder)
    server.files[first.name] = first.read_bytes()
    index(folder, "mine", server)


def verify(folder: Path, server: UploadServer) -> None:
    """The index has all files, and shows them late."""
    project(folder)
    server.files.update({path.name: path.read_bytes() for path in release_files(folder)})
    server.stale = 2
    index(folder, "staging", server)


SCENES: dict[str, list[Scene]] = {
    "README.md": [readme],
    "audit.md": [good_release],
    "check.md": [good_release, bad_release],
    "ci.md": [ci, ci_again],
    "conda.md": [conda],
    "debugging.md": [debugging],
    "first-release.md": [first_release],
    "first-wheel.md": [first_wheel],
    "private-index.md": [private_index],
    "readiness.md": [readiness],
    "report.md": [report],
    "upload.md": [upload],
    "verify.md": [verify],
}
"""By page: what is made before its first command, its second block and so on."""

OF_AN_INDEX = {"README.md", "debugging.md", "first-wheel.md", "readiness.md"}
"""Pages whose commands ask the package index."""
