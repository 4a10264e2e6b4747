"""Shared by all engines with containers: the choice of images, and the opening of workspaces."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from crosswheel.containers.environment import environment, python, site_packages
from crosswheel.containers.host import Container, ContainerHost
from crosswheel.containers.images import Image
from crosswheel.containers.project_caches import UV_ENVIRON, ensure_cache
from crosswheel.engines.before_all import prepared
from crosswheel.engines.container_workspace import COMPILES, ContainerWorkspace, WholeProject
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.engines.network import network_of
from crosswheel.engines.services import Services
from crosswheel.engines.venv_images import seed, uv_knows, with_environment
from crosswheel.engines.worked_out import worked_out
from crosswheel.engines.workspace import UNCOMPILED
from crosswheel.errors import BuildFailed, CrosswheelError, EngineUnavailable
from crosswheel.images.pins import Family, image_arch
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Sdist
from crosswheel.model.targets import Target
from crosswheel.system.addresses import redact
from crosswheel.system.local_host import LocalHost
from crosswheel.toolchains import ccache
from crosswheel.toolchains.build_systems import parallel_environ
from crosswheel.toolchains.startup import HOOKS, SIDE_BY_SIDE, Startup, note_uncompiled, startup_files
from crosswheel.toolchains.toolbox import CCACHE_BIN, MOUNT

MEMORY_SHARE = 0.9  # share of the Docker host's memory; the rest is for the host itself
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def offer(
    target: Target, config: Config, facts: Facts, *, natively: bool | None, family: Family = "pypa"
) -> Interpreter | str:
    """The image's interpreter for the build backend, or the reason why the target cannot be served.

    `natively` is the required way of running the image; None if any.
    """
    if reason := _refusal(target, facts, natively=natively, family=family):
        return reason
    try:
        facts.running(image_arch(target, family))
        pythons = facts.pythons(target, config, family)
    except CrosswheelError as error:
        return error.in_a_line
    if target.python not in pythons:
        there = f"{reference_of(target, config, family)} has no {target.python}, only {', '.join(map(str, pythons))}"
        return f"{there}; choose one of these, or another --image"
    # The patch release is unknown until the image is pulled.
    return pythons[target.python] or Interpreter(target.python, target.python.version, Path("python"))


def _refusal(target: Target, facts: Facts, *, natively: bool | None, family: Family) -> str:
    """A refusal that is known without asking the Docker host, or an empty text."""
    try:
        containers = facts.containers
    except EngineUnavailable as error:
        return error.message
    if natively is not None and natively != containers.runs_natively(image_arch(target, family)):
        machine = f"the host of containers is a {containers.machine} machine"
        return machine if natively else f"{machine} itself: no emulation needed"
    if containers.shares_loopback:
        return ""
    index = _index(facts.host)
    if urlsplit(index).hostname in _LOOPBACK:
        return f"containers cannot reach the package index {redact(index)}: it is on this machine's loopback"
    return ""


def _index(host: LocalHost) -> str:
    """The index address in uv's or pip's settings; empty for uv's default."""
    environ = host.environ
    return environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or host.index.settings.index_url


def prepare(target: Target, config: Config, services: Services, *, compilers: bool, family: Family = "pypa") -> None:
    """Pull the image and fill the toolbox, before the jobs need them at the same time."""
    image = services.pull(reference_of(target, config, family), image_arch(target, family))
    services.toolbox(image, compilers=compilers)


@contextmanager
def container_of(
    image: Image, config: Config, services: Services, project: str, *, compilers: bool, timeout: float
) -> Iterator[Container]:
    """A container with the toolbox, the project's cache and, under QEMU, the fastest emulated processor."""
    facts, containers = services.facts, services.facts.containers
    toolbox, runs = services.toolbox(image, compilers=compilers), facts.running(image.arch)
    cache = None if config.build.fresh else ensure_cache(containers, project, image, facts.host.cache)
    with ExitStack() as stack:
        container = stack.enter_context(
            containers.running(
                image,
                facts.host.processes,
                timeout=timeout,
                environ={**runs.environ, **UV_ENVIRON},
                volumes=toolbox.volumes,
                caches=cache.volumes if cache else {},
                memory=_memory(containers),
                emulated=not runs.natively,
            )
        )
        container.write(uv_knows(image, facts.host))
        try:
            yield container
        finally:
            services.later(stack.pop_all().close)


@contextmanager
def open_workspace(
    job: Job,
    sdist: Sdist,
    config: Config,
    services: Services,
    folder: Path,
    log: Path,
    *,
    family: Family = "pypa",
    compilers: bool = False,
    path: tuple[str, ...] = (),
    startup: tuple[Startup, ...] = (),
    equip: Callable[[ContainerWorkspace], ContainerWorkspace] = lambda workspace: workspace,
) -> Iterator[ContainerWorkspace]:
    """A workspace in a container of the job's image, with the results of `before-all` and an environment of its Python.

    `path` is put first in its PATH, `startup` has modules for its interpreters; `equip` adds the engine's own files.
    """
    facts, timeout = services.facts, config.build.timeout
    image = services.pull(reference_of(job.target, config, family), image_arch(job.target, family))
    interpreter = _interpreter(job, image, config, facts, family)
    container_for = partial(
        _container, config=config, services=services, project=sdist.name, family=family, compilers=compilers
    )

    @contextmanager
    def start(image: Image) -> Iterator[ContainerWorkspace]:
        try:
            another = container_for(job, image, timeout)
            with services.prestart.taken((job.target, image.content), another) as container:
                # Behind before-all, the project is in the image.
                if config.builds_in_containers and sdist.tree and not image.layer:
                    with sdist.tree.archive.open("rb") as archive:
                        container.put_archive(archive)
                yield equip(_workspace(container, interpreter, job, config, facts.host, folder, log, path, startup))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    if config.build.before_all:
        tools = services.toolbox(image, compilers=compilers).volume
        image = prepared(image, tools, job, sdist, config, services, lambda: start(image))
    with start(image) as workspace:
        if (following := job.following) and _begins_alike(following, job, config, family):
            # A container started early waits for this job, which may build twice, and then has the full time limit.
            waiting = container_for(following, image, 3 * timeout)
            services.prestart.start((following.target, image.content), waiting)
        yield workspace


def _begins_alike(job: Job, another: Job, config: Config, family: Family) -> bool:
    """Whether both jobs have the same engine and image."""
    if (job.engine, job.target.arch) != (another.engine, another.target.arch):
        return False
    return reference_of(job.target, config, family) == reference_of(another.target, config, family)


def _interpreter(job: Job, image: Image, config: Config, facts: Facts, family: Family) -> Interpreter:
    found = facts.pythons(job.target, config, family).get(job.target.python)
    if found is None:
        raise BuildFailed(f"{image.reference} has no {job.target.python}", hint="--image, or other --python")
    return found


@contextmanager
def _container(
    job: Job,
    image: Image,
    timeout: float,
    *,
    config: Config,
    services: Services,
    project: str,
    family: Family,
    compilers: bool,
) -> Iterator[Container]:
    """A container with only the environment of the job's Python."""
    interpreter = _interpreter(job, image, config, services.facts, family)
    image = with_environment(
        image,
        interpreter.tag,
        services,
        lambda *_: interpreter,
        fresh=config.build.fresh,
        timeout=config.build.timeout,
        compilers=compilers,
    )
    with container_of(image, config, services, project, compilers=compilers, timeout=timeout) as container:
        yield container


def _workspace(
    container: Container,
    interpreter: Interpreter,
    job: Job,
    config: Config,
    host: LocalHost,
    folder: Path,
    log: Path,
    path: Sequence[str],
    startup: Sequence[Startup],
) -> ContainerWorkspace:
    deadline = time.monotonic() + config.build.timeout
    folder.mkdir(parents=True)
    network, tag, packages = network_of(host), interpreter.tag, site_packages(interpreter.tag)
    startup = (*startup, SIDE_BY_SIDE, note_uncompiled(folder / UNCOMPILED))
    starting = {packages / name: content for name, content in startup_files(*startup).items()}
    container.write({**network.files, **starting})
    mode = config.mode if config.builds_in_containers else None
    if config.build.before_build and not mode:
        seed(container, tag, network.installer_environ, log, deadline)
    cached = () if config.build.fresh else (str(CCACHE_BIN),)
    own = container.image.environ.get("PATH", _DEFAULT_PATH)
    environ = {
        **network.environ,
        **({} if config.build.fresh else ccache.environ(folder / COMPILES)),
        "PATH": ":".join((*path, *cached, str(python(tag).parent), str(MOUNT / "bin"), own)),
        "VIRTUAL_ENV": str(environment(tag)),
        **({"SOURCE_DATE_EPOCH": epoch} if (epoch := host.environ.get("SOURCE_DATE_EPOCH")) else {}),
        **parallel_environ(job.processors or container.cpus),
        **config.build.environment,
    }
    whole = None
    if mode:
        own_python = Path("/opt/python", f"{tag.interpreter}-{tag.abi}", "bin", "python")
        whole = WholeProject(folder / "source" / "project", own_python, environ, mode.environment)
        environ = environ | worked_out(container, mode.environment, environ, deadline)
    return ContainerWorkspace(
        host=host,
        container=container,
        root=folder,
        target=job.target,
        python=python(tag),
        hooks=Path(packages, HOOKS),
        log=log,
        deadline=deadline,
        environ=environ,
        installer_environ=network.installer_environ,
        whole=whole,
    )


def _memory(containers: ContainerHost) -> int:
    return int(containers.memory * MEMORY_SHARE)
