"""What the engines that build in containers share: which images they take, and how a workspace in one is opened."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from crosswheel.backend import unreachable_index
from crosswheel.containers.archives import archive_of
from crosswheel.containers.caches import UV_ENVIRON, ensure_cache
from crosswheel.containers.container import Container, running
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.environment import ENVIRONMENT, PYTHON, site_packages
from crosswheel.containers.images import Family, Image, image_arch
from crosswheel.engines.before_all import prepared
from crosswheel.engines.site import Site
from crosswheel.errors import BuildFailed, CrosswheelError, EngineUnavailable
from crosswheel.index import redact
from crosswheel.keeping import mark_volume
from crosswheel.model import Interpreter, Job, Listener, Sdist, deaf
from crosswheel.process import CommandFailed
from crosswheel.targets import Target
from crosswheel.toolchains import ccache
from crosswheel.toolchains.build_systems import parallel_environ
from crosswheel.toolchains.bytecode import put_bytecode
from crosswheel.toolchains.startup import HOOKS, SIDE_BY_SIDE, Startup, startup_files
from crosswheel.toolchains.toolbox import CCACHE_BIN, MOUNT, UV
from crosswheel.workspace import ContainerWorkspace

MEMORY_SHARE = 0.9  # of the Docker host's; what runs the host stays out of a build's reach
_CERTIFICATES = PurePosixPath("/etc/crosswheel/certificates.pem")
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
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


def prepare(target: Target, site: Site, listener: Listener, *, compilers: bool, family: Family = "pypa") -> None:
    """Pull the image and fill the toolbox, before the jobs that would all ask for them at once."""
    image = site.pull(site.reference(target, family), image_arch(target, family), listener)
    site.toolbox(image, listener, compilers=compilers)


@contextmanager
def container_of(image: Image, site: Site, project: str, *, compilers: bool, timeout: float) -> Iterator[Container]:
    """A container with the toolbox, the project's cache and, under QEMU, the processor that QEMU is quickest at."""
    docker = site.docker
    if isinstance(docker, EngineUnavailable):
        raise docker
    toolbox, runs = site.toolbox(image, deaf, compilers=compilers), site.running(image.arch)
    cache = None if site.config.fresh else ensure_cache(docker, project, image)
    if cache:
        mark_volume(cache.volume, site.host.cache)
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
    image = site.pull(site.reference(job.target, family), image_arch(job.target, family), deaf)
    interpreter = site.pythons(job.target, family).get(job.target.python)
    if interpreter is None:
        raise BuildFailed(f"{image.reference} has no {job.target.python}", hint="--image, or other --python")

    @contextmanager
    def start(image: Image) -> Iterator[ContainerWorkspace]:
        try:
            with container_of(image, site, sdist.name, compilers=compilers, timeout=site.config.timeout) as container:
                yield equip(_workspace(container, interpreter, job, site, folder, log, path, startup))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    if site.config.before_all:
        tools = site.toolbox(image, deaf, compilers=compilers).volume
        image = prepared(image, tools, job, sdist, site, lambda: start(image))
    with start(image) as workspace:
        yield workspace


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
    config, deadline = site.config, time.monotonic() + site.config.timeout
    folder.mkdir(parents=True)
    network, installer = enter(container, site)
    if container.emulated:
        put_bytecode(container, interpreter, site.host, deaf)
    make_environment(container, interpreter.path, installer, log, deadline, seed=bool(config.before_build))
    files = startup_files(*startup, SIDE_BY_SIDE)
    container.put_archive(archive_of(files), site_packages(interpreter.tag))
    cached = () if config.fresh else (str(CCACHE_BIN),)
    own = container.image.environ.get("PATH", _DEFAULT_PATH)
    environ = {
        **network,
        **({} if config.fresh else ccache.ENVIRON),
        "PATH": ":".join((*cached, *path, str(PYTHON.parent), str(MOUNT / "bin"), own)),
        "VIRTUAL_ENV": str(ENVIRONMENT),
        **({"SOURCE_DATE_EPOCH": epoch} if (epoch := site.host.environ.get("SOURCE_DATE_EPOCH")) else {}),
        **parallel_environ(job.processors or container.docker.cpus),
        **config.environment,
    }
    return ContainerWorkspace(
        host=site.host,
        container=container,
        root=folder,
        tag=interpreter.tag,
        python=PYTHON,
        hooks=Path(site_packages(interpreter.tag), HOOKS),
        log=log,
        deadline=deadline,
        environ=environ,
        installer_environ=installer,
    )


def enter(container: Container, site: Site) -> tuple[dict[str, str], dict[str, str]]:
    """What hooks and what uv see of the caller's network: proxies, certificates, and where packages come from.

    Folders of this machine are not passed on. Only uv gets the credentials in an index's address: what a build
    backend runs is code that nobody here has read.
    """
    host, given = site.host, {name: site.host.environ[name] for name in _NETWORK if name in site.host.environ}
    settings = host.index.settings.remote
    if (certificates := _certificates(site)) and certificates.is_file():
        container.write(_CERTIFICATES, certificates.read_bytes())
        names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        given |= dict.fromkeys(names, str(_CERTIFICATES))
    urls = {"PIP_INDEX_URL": settings.index_url, "PIP_EXTRA_INDEX_URL": " ".join(settings.extra_index_urls)}
    hooks = {**given, **{name: without_credentials(urls) for name, urls in urls.items() if urls}}
    own = {name: value for name, value in host.environ.items() if name in _UV_OWN}
    offline = {"UV_OFFLINE": "1"} if host.index.offline else {}
    uv = {**settings.uv_environ, **own, **given, **offline, "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    return hooks, uv


# The caller's own settings of uv that say where packages come from; its folders are this machine's.
_UV_OWN = (
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_HTTP_TIMEOUT",
    "UV_PRERELEASE", "UV_EXCLUDE_NEWER", "UV_NATIVE_TLS", "UV_INSECURE_HOST",
)  # fmt: skip


def make_environment(
    container: Container,
    interpreter: Path,
    installer: Mapping[str, str],
    log: Path,
    deadline: float,
    *,
    seed: bool,
) -> None:
    """An empty environment (PEP 405) of an interpreter in the container, with pip in it where `seed`.

    Commands of the project may call pip. Where it is, containers/environment.py says.
    """
    more = ["--seed"] if seed else []
    command = [UV, "venv", "--quiet", "--no-project", *more, "--python", str(interpreter), str(ENVIRONMENT)]
    try:
        container.run(command, env=installer, log=log, deadline=deadline)
    except CommandFailed as error:
        if missing := unreachable_index(error, log, offline="UV_OFFLINE" in installer):
            raise missing from error
        hint = f"less {log}"
        raise BuildFailed(f"no environment of {interpreter} could be made: {error.ending}", hint=hint) from error


def without_credentials(urls: str) -> str:
    """Addresses without user names and passwords."""
    return " ".join(_bare(url) for url in urls.split())


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _certificates(site: Site) -> Path | None:
    environ, settings = site.host.environ, site.host.index.settings
    named = settings.cert or environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE")
    return Path(named) if named else None


def _memory(docker: DockerHost) -> int:
    return int(docker.memory * MEMORY_SHARE)
