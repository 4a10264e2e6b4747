"""Every shell command of every file is run in bare containers, up to an index on loopback that gets the release.

Each job has a new container of a system with Python, pip and little else; the files of the repository and those of
earlier jobs are put there. The systems themselves are not here: their actions and identities are not run. Nor is a
Docker Engine: `crosswheel register` may say that there is none, and wheels are built by the engine cross.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from containers.stand_ins.index_packages import IndexUnavailable
from containers.stand_ins.system import CERTIFICATES, NEWEST
from crosswheel.containers.namespace_container import NamespaceContainer
from crosswheel.containers.namespace_host import NamespaceHost
from crosswheel.engines.facts import Facts
from crosswheel.errors import CannotRun, EngineUnavailable
from crosswheel.model.job import deaf
from crosswheel.model.targets import architectures
from crosswheel.system.local_host import local_host
from crosswheel.system.process import CommandFailed
from crosswheel.workflows.systems import SYSTEMS
from debian import DebianUnavailable
from pipelines import READERS, Job, Store
from stand_in_roots import stand_in_root
from upload_server import UploadServer, upload_server

ROOT = Path(__file__).parents[2]
PYTHON = f"cp3{NEWEST}"
FILES = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tiny"
version = "1.0"
description = "Tiny."
readme = { text = "Tiny.", content-type = "text/plain" }
[[tool.setuptools.ext-modules]]
name = "tiny"
sources = ["tiny.c"]
[tool.crosswheel]
arch = ["aarch64"]
python = ["PYTHON"]
engine = "cross"
test = "never"
repository = "REPOSITORY"
[tool.crosswheel.ci]
install = "python -m pip install --quiet WHEEL"
""",
    "tiny.c": """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tiny", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_tiny(void) { return PyModule_Create(&module); }
""",
}
JOB = PurePosixPath("/builds/job")
WHEELS = PurePosixPath("/wheels")
# Travis has this function in its shells.
TRAVIS = 'travis_wait() { shift; "$@"; }'

pytestmark = [pytest.mark.slow, pytest.mark.index]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crosswheel as an index would have it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (made,) = folder.glob("*.whl")
    return made


@dataclass(frozen=True)
class Machine:
    """Runs jobs, each in a container of its own, which finds the caches of the ones before."""

    host: NamespaceHost
    reference: str

    @contextmanager
    def container(self) -> Iterator[NamespaceContainer]:
        image = self.host.find_image(self.reference, architectures()["x86_64"], ())
        assert image
        with self.host.running(
            image, self.host.host.processes, timeout=600, environ=variables(), caches={"ci": "/cache"}
        ) as made:
            yield made


_INDEX = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "UV_DEFAULT_INDEX", "UV_INDEX")


def variables() -> dict[str, str]:
    """What users set on the system, and the package index of this machine."""
    kept = {name: os.environ[name] for name in _INDEX if name in os.environ}
    return {
        **kept,
        "PIP_CERT": f"/{CERTIFICATES}",
        "XDG_CACHE_HOME": "/cache",
        "BASH_ENV": "/root/bash_env",
        "TWINE_USERNAME": "me",
        "TWINE_PASSWORD": "a token",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


@pytest.fixture(scope="module")
def machine(debian_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    try:
        root = stand_in_root(debian_cache, "amd64/python-full")
    except (DebianUnavailable, IndexUnavailable) as error:
        pytest.skip(str(error))
    cache = tmp_path_factory.mktemp("cache")
    cache.chmod(0o700)
    (cache / "images").symlink_to(root.cache / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "CROSSWHEEL_CACHE", str(cache))
        here = local_host(offline=False, listener=deaf)
    if refusal := here.allowed.namespaces or here.allowed.overlay:
        pytest.skip(str(refusal))
    with Facts(here, EngineUnavailable("not wanted here")) as facts:
        assert isinstance(facts.containers, NamespaceHost)
        yield Machine(facts.containers, root.reference)


@pytest.fixture
def server() -> Iterator[UploadServer]:
    with upload_server() as running:
        yield running


def shell(container: NamespaceContainer, command: str, variables: dict[str, str]) -> None:
    allowed = {EngineUnavailable.exit_code, CannotRun.exit_code} if is_register(command) else set()
    words = ["bash", "-eo", "pipefail", "-c", f"{TRAVIS}\n{command}"]
    try:
        container.run(words, env=variables, cwd=JOB)
    except CommandFailed as error:
        if error.returncode not in allowed:
            pytest.fail(f"{command}\n{error.output}")


def is_register(command: str) -> bool:
    return "crosswheel register" in command and "crosswheel wheels" not in command


def checkout(folder: Path, files: dict[str, str]) -> Path:
    """A repository with a tag on its only commit, as the system puts it into the container."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "x"], ["tag", "v1.0"]):
        subprocess.run(["/usr/bin/git", *words], cwd=folder, check=True)
    return folder


@pytest.mark.daily(1)
@pytest.mark.parametrize("system", list(SYSTEMS))
def test_the_commands_of_all_jobs_end_with_a_release_on_the_index(
    system: str, server: UploadServer, wheel: Path, machine: Machine, tmp_path: Path
) -> None:
    replaced = {"PYTHON": PYTHON, "REPOSITORY": server.url, "WHEEL": str(WHEELS / wheel.name)}
    files = dict(FILES)
    for name, value in replaced.items():
        files["pyproject.toml"] = files["pyproject.toml"].replace(name, value)
    path = SYSTEMS[system].path
    first = checkout(tmp_path / "first", files)
    subprocess.run([sys.executable, "-m", "crosswheel", "ci", system], cwd=first, check=True)
    files[path] = (first / path).read_text()
    store = Store(tmp_path / "store", from_the_top=system != "github")
    for number, job in enumerate(READERS[system](files[path])):
        with machine.container() as container:
            container.put(wheel, to=WHEELS)
            perform(job, container, checkout(tmp_path / str(number) / JOB.name, files), store)
    names = {"tiny-1.0.tar.gz", f"tiny-1.0-{PYTHON}-{PYTHON}-manylinux2014_aarch64.manylinux_2_17_aarch64.whl"}
    assert set(server.files) == names


def perform(job: Job, container: NamespaceContainer, folder: Path, store: Store) -> None:
    for pattern, place in job.takes:
        store.take(folder, pattern, place)
    container.put(folder, to=JOB.parent)
    for command in job.commands:
        shell(container, command, job.variables)
    if job.gives:
        done = folder.parent / "done"
        container.get(JOB, done)
        for name, patterns in job.gives:
            store.give(done / JOB.name if (done / JOB.name).is_dir() else done, name, patterns)
