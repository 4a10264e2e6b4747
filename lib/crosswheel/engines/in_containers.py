"""What the engines that build in containers share: which images they take, and how a workspace in one is opened."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from crosswheel.containers.container import Container, running
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.environment import environment, python, site_packages
from crosswheel.containers.images import Family, Image, image_arch
from crosswheel.containers.project_caches import UV_ENVIRON, ensure_cache
from crosswheel.engines.before_all import prepared
from crosswheel.engines.container_workspace import COMPILES, ContainerWorkspace
from crosswheel.engines.network import network_of
from crosswheel.engines.site import Site
from crosswheel.engines.venv_images import furnished, seed, uv_knows
from crosswheel.engines.workspace import UNCOMPILED
from crosswheel.errors import BuildFailed, CrosswheelError, EngineUnavailable
from crosswheel.model.job import Interpreter, Job, Sdist
from crosswheel.model.targets import Target
from crosswheel.system.addresses import redact
from crosswheel.toolchains import ccache
from crosswheel.toolchains.build_systems import parallel_environ
from crosswheel.toolchains.startup import HOOKS, SIDE_BY_SIDE, Startup, note_uncompiled, startup_files
from crosswheel.toolchains.toolbox import CCACHE_BIN, MOUNT

MEMORY_SHARE = 0.9  # of the Docker host's; what runs the host stays out of a build's reach
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def offer(target: Target, site: Site, *, natively: bool | None, family: Family = "pypa") -> Interpreter | str:
    """The interpreter of the image that would run the build backend, or why this machine cannot serve the target.

    `natively` says how the Docker host is to run the image; None where it does not matter.
    """
    if reason := _refusal(target, site, natively=natively, family=family):
        return reason
    try:
        site.running(image_arch(target, family))
        pythons = site.pythons(target, family)
    except CrosswheelError as error:
        return error.in_a_line
    if target.python not in pythons:
        return f"{site.reference(target, family)} has no {target.python}; it has {', '.join(map(str, pythons))}"
    # Of an image that is yet to be pulled, nobody knows the patch release.
    return pythons[target.python] or Interpreter(target.python, target.python.version, Path("python"))


def _refusal(target: Target, site: Site, *, natively: bool | None, family: Family) -> str:
    """What can be said before the Docker host is asked to do anything."""
    if isinstance(site.docker, EngineUnavailable):
        return site.docker.message
    if natively is not None and natively != site.docker.runs_natively(image_arch(target, family)):
        machine = f"the Docker host is a {site.docker.machine} machine"
        return machine if natively else f"{machine} itself: nothing to emulate"
    index = _index(site)
    if urlsplit(index).hostname in _LOOPBACK:
        return f"containers do not reach the package index {redact(index)}: it is this machine's own"
    return ""


def _index(site: Site) -> str:
    """The address that uv is told, by itself or by pip's settings; empty where both leave it to uv."""
    environ = site.host.environ
    return environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or site.host.index.settings.index_url


def prepare(target: Target, site: Site, *, compilers: bool, family: Family = "pypa") -> None:
    """Pull the image and fill the toolbox, before the jobs that would all ask for them at once."""
    image = site.pull(site.reference(target, family), image_arch(target, family))
    site.toolbox(image, compilers=compilers)


@contextmanager
def container_of(image: Image, site: Site, project: str, *, compilers: bool, timeout: float) -> Iterator[Container]:
    """A container with the toolbox, the project's cache and, under QEMU, the processor that QEMU is quickest at."""
    docker = site.docker
    if isinstance(docker, EngineUnavailable):
        raise docker
    toolbox, runs = site.toolbox(image, compilers=compilers), site.running(image.arch)
    cache = None if site.config.build.fresh else ensure_cache(docker, project, image, site.host.cache)
    with ExitStack() as stack:
        container = stack.enter_context(
            running(
                docker,
                image,
                site.host.processes,
                timeout=timeout,
                environ={**runs.environ, **UV_ENVIRON},
                volumes=toolbox.volumes,
                caches=cache.volumes if cache else {},
                memory=_memory(docker),
                emulated=not runs.natively,
            )
        )
        container.write(uv_knows(image, site))
        try:
            yield container
        finally:
            site.later(stack.pop_all().close)


@contextmanager
def open_workspace(
    job: Job,
    sdist: Sdist,
    site: Site,
    folder: Path,
    log: Path,
    *,
    family: Family = "pypa",
    compilers: bool = False,
    path: tuple[str, ...] = (),
    startup: tuple[Startup, ...] = (),
    equip: Callable[[ContainerWorkspace], ContainerWorkspace] = lambda workspace: workspace,
) -> Iterator[ContainerWorkspace]:
    """A container of the job's image, with `before-all` done, and with an environment of the job's Python.

    `path` stands first in its PATH, `startup` is for its interpreters; `equip` adds what else the engine has to.
    """
    image = site.pull(site.reference(job.target, family), image_arch(job.target, family))
    interpreter = _interpreter(job, image, site, family)
    furnished_container = partial(_container, site=site, project=sdist.name, family=family, compilers=compilers)

    @contextmanager
    def start(image: Image) -> Iterator[ContainerWorkspace]:
        try:
            another = furnished_container(job, image, site.config.build.timeout)
            with site.ahead.taken((job.target, image.content), another) as container:
                yield equip(_workspace(container, interpreter, job, site, folder, log, path, startup))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    if site.config.build.before_all:
        tools = site.toolbox(image, compilers=compilers).volume
        image = prepared(image, tools, job, sdist, site, lambda: start(image))
    with start(image) as workspace:
        if (following := job.following) and _begins_alike(following, job, site, family):
            # It waits for this job, which may be built twice, and then has as long as any.
            waiting = furnished_container(following, image, 3 * site.config.build.timeout)
            site.ahead.start((following.target, image.content), waiting)
        yield workspace


def _begins_alike(job: Job, another: Job, site: Site, family: Family) -> bool:
    """Whether the same engine builds both, in the same image."""
    if (job.engine, job.target.arch) != (another.engine, another.target.arch):
        return False
    return site.reference(job.target, family) == site.reference(another.target, family)


def _interpreter(job: Job, image: Image, site: Site, family: Family) -> Interpreter:
    found = site.pythons(job.target, family).get(job.target.python)
    if found is None:
        raise BuildFailed(f"{image.reference} has no {job.target.python}", hint="--image, or other --python")
    return found


@contextmanager
def _container(
    job: Job, image: Image, timeout: float, *, site: Site, project: str, family: Family, compilers: bool
) -> Iterator[Container]:
    """In which an environment of the job's Python is, and nothing else of it yet."""
    interpreter = _interpreter(job, image, site, family)
    image = furnished(image, interpreter.tag, site, lambda *_: interpreter, compilers=compilers)
    with container_of(image, site, project, compilers=compilers, timeout=timeout) as container:
        yield container


def _workspace(
    container: Container,
    interpreter: Interpreter,
    job: Job,
    site: Site,
    folder: Path,
    log: Path,
    path: Sequence[str],
    startup: Sequence[Startup],
) -> ContainerWorkspace:
    config, deadline = site.config, time.monotonic() + site.config.build.timeout
    folder.mkdir(parents=True)
    network, tag, packages = network_of(site), interpreter.tag, site_packages(interpreter.tag)
    startup = (*startup, SIDE_BY_SIDE, note_uncompiled(folder / UNCOMPILED))
    starting = {packages / name: content for name, content in startup_files(*startup).items()}
    container.write({**network.files, **starting})
    if config.build.before_build:
        seed(container, tag, network.installer_environ, log, deadline)
    cached = () if config.build.fresh else (str(CCACHE_BIN),)
    own = container.image.environ.get("PATH", _DEFAULT_PATH)
    environ = {
        **network.environ,
        **({} if config.build.fresh else ccache.environ(folder / COMPILES)),
        "PATH": ":".join((*cached, *path, str(python(tag).parent), str(MOUNT / "bin"), own)),
        "VIRTUAL_ENV": str(environment(tag)),
        **({"SOURCE_DATE_EPOCH": epoch} if (epoch := site.host.environ.get("SOURCE_DATE_EPOCH")) else {}),
        **parallel_environ(job.processors or container.docker.cpus),
        **config.build.environment,
    }
    return ContainerWorkspace(
        host=site.host,
        container=container,
        root=folder,
        tag=tag,
        python=python(tag),
        hooks=Path(packages, HOOKS),
        log=log,
        deadline=deadline,
        environ=environ,
        installer_environ=network.installer_environ,
    )


def _memory(docker: DockerHost) -> int:
    return int(docker.memory * MEMORY_SHARE)
