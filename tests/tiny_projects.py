"""What the pipeline is tried with: projects that need no compiler, and an engine that needs no toolchain."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosswheel.config import Config
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.images import Family
from crosswheel.engines.site import Site
from crosswheel.errors import CrosswheelError, EngineUnavailable
from crosswheel.hosts import LocalHost
from crosswheel.index import Index, PipSettings
from crosswheel.model import Interpreter, Job, Listener, Sdist
from crosswheel.process import Processes
from crosswheel.sdist import read_sdist
from crosswheel.targets import PythonTag, Target
from crosswheel.testing import tiny_elf
from crosswheel.workspace import HostWorkspace, plain_workspace

PROJECTS = Path(__file__).parent / "projects"
PYTHONS = (PythonTag(11), PythonTag(12), PythonTag(13))
PKG_INFO = b"Metadata-Version: 2.2\nName: tiny\nVersion: 1.0\nRequires-Python: >=3.10\n"


def tiny_project(name: str, folder: Path) -> Path:
    """A copy of tests/projects/<name>, with the backend that all of them share in its tree."""
    made = shutil.copytree(PROJECTS / name, folder / name)
    shutil.copy(PROJECTS / "tiny_backend.py", made)
    return made


def tiny_sdist(name: str, folder: Path) -> Sdist:
    project = tiny_project(name, folder)
    (project / "PKG-INFO").write_bytes(PKG_INFO)
    return read_sdist(tar_of({path.name: path.read_bytes() for path in project.iterdir()}, folder))


def tar_of(members: dict[str, bytes], folder: Path, *, top: str = "tiny-1.0/", name: str = "tiny-1.0.tar.gz") -> Path:
    """An archive with these members in its top folder."""
    with tarfile.open(folder / name, "w:gz") as archive:
        for member, data in members.items():
            entry = tarfile.TarInfo(f"{top}{member}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder / name


def tiny_host(folder: Path) -> LocalHost:
    """This machine, offline, with one interpreter in the role of three."""
    here = Path(sys.executable)
    return LocalHost(
        environ={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        cache=folder / "cache",
        processes=Processes(),
        index=Index(PipSettings(), folder / "cache", offline=True),
        interpreters={tag: Interpreter(tag, f"{tag.version}.0", here) for tag in PYTHONS},
        machine="x86_64",
        cpus=2,
    )


def tiny_site(config: Config, host: LocalHost, docker: DockerHost | None = None) -> Site:
    """Where a Docker Engine is not, unless one is given."""
    return Site(config, host, docker or EngineUnavailable("no Docker Engine answers there"))


@dataclass(frozen=True)
class _Troubled(HostWorkspace):
    """Every hook ends with an error."""

    trouble: CrosswheelError = field(default_factory=lambda: CrosswheelError("trouble"))

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        raise self.trouble


@dataclass
class TinyEngine:
    """Opens plain workspaces whose environment tells the tiny backend of its target, and counts them.

    With a `trouble`, that is how their hooks end.
    """

    notes: Path
    trouble: CrosswheelError | None = None
    family: Family | None = None
    prepared: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    opened_bare: list[str] = field(default_factory=list)
    toolchain: dict[str, str] = field(default_factory=dict)

    def offer(self, target: Target, site: Site) -> Interpreter | str:
        return site.host.interpreters.get(target.python, "no interpreter")

    def prepare(self, target: Target, site: Site, listener: Listener, *, cxx: bool) -> None:
        self.prepared.append(f"{target.platform} {'c++' if cxx else 'c'}")

    @contextmanager
    def open(self, job: Job, site: Site, folder: Path, log: Path, *, bare: bool = False) -> Iterator[HostWorkspace]:
        assert job.interpreter
        (self.opened_bare if bare else self.opened).append(str(job.target.python))
        workspace = plain_workspace(site.host, job.interpreter, folder, log, site.config.timeout)
        library = folder / "library"
        versions = {"libc.so.6": ["GLIBC_2.17"]}
        library.write_bytes(tiny_elf(exports=["PyInit_fast"], needed=["libc.so.6"], versions_needed=versions))
        variables = {
            "TINY_PYTHON": str(job.target.python),
            "TINY_PLATFORM": f"linux_{job.target.arch}",
            "TINY_SUFFIX": job.target.ext_suffix,
            "TINY_LIBRARY": str(library),
            "TINY_NOTES": str(self.notes),
        }
        workspace = replace(workspace, environ={**workspace.environ, **variables})
        yield _Troubled(**vars(workspace), trouble=self.trouble) if self.trouble else workspace
