"""The local machine: processors, memory, interpreters, caches, and the environments of builds."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from crosswheel.model.job import Interpreter, Listener
from crosswheel.model.targets import PythonTag
from crosswheel.system.addresses import is_remote
from crosswheel.system.confinement import Confinement
from crosswheel.system.installer import install, uv_home, without_secrets
from crosswheel.system.interpreters import find_interpreters, uv
from crosswheel.system.locks import own_cache, user_cache
from crosswheel.system.memo import answers_in
from crosswheel.system.namespace_support import Allowed, known_allowed
from crosswheel.system.namespaces import Namespace
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes
from crosswheel.system.requirement_builds import building_environ, named_by_uv, open_builds, resolving_environ
from crosswheel.system.sandbox import Layer, Sandbox, base_of, named_in
from crosswheel.system.scratch import temporary_folder

# The environment variables that builds may see: network access and temporary files. Not HOME and no tokens, because
# build backends run untrusted code.
_SHARED = (
    "PATH", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ", "SOURCE_DATE_EPOCH",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
# The user's own folders, which builds do not see.
_HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")
# Uv's settings for all users.
_UV_SETTINGS = (Path("/etc/uv"), Path("/etc/xdg/uv"))
# Variables for logging in to an index.
_OWN = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "NETRC")


@dataclass(frozen=True)
class LocalHost:
    """The local machine. `environ` is the caller's environment, `cache` our folder in the user's cache."""

    environ: Mapping[str, str]
    cache: Path
    processes: Processes
    index: Index
    interpreters: Mapping[PythonTag, Interpreter]
    machine: str
    cpus: int

    @property
    def memory(self) -> int:
        """The installed memory in bytes."""
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    @functools.cached_property
    def allowed(self) -> Allowed:
        """The namespaces that the kernel permits; asked once, 0.1 s."""
        return known_allowed(self.processes, self.cache / "namespaces", answers_in(self.cache))

    @property
    def build_environ(self) -> dict[str, str]:
        """The part of the caller's environment that builds may see."""
        offline = {"CARGO_NET_OFFLINE": "true"} if self.index.offline else {}
        return {**_only(self.environ, _SHARED), **rust_environ(self.environ), **_with_cargo(self.environ), **offline}

    @property
    def rustup_environ(self) -> dict[str, str]:
        """The environment of rustc and rustup themselves: that of builds, with the caller's HOME."""
        return {**self.build_environ, **_only(self.environ, ("HOME",))}

    @property
    def installer_environ(self) -> dict[str, str]:
        """The environment of uv: the caller's network and index settings, and a HOME with nothing else."""
        return without_secrets({**self._uv_environ, "HOME": str(self._uv_home)})

    @property
    def installer_environ_with_login(self) -> dict[str, str]:
        """The environment of uv with credentials for indexes, if there are any: what it builds could read them."""
        environ, home = self._uv_environ, self.environ.get("HOME", "")
        has_secrets = environ != without_secrets(environ)
        if has_secrets or Path(home, ".netrc").is_file() or "NETRC" in self.environ:
            return {**environ, **_only(self.environ, _OWN)}
        return self.installer_environ

    @property
    def indexes(self) -> tuple[Index, ...]:
        """Every index that uv searches: those of its own variables, which win over pip's settings."""
        environ = self._uv_environ
        words = [word for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL") for word in environ.get(name, "").split()]
        words.append(environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or "")
        addresses = dict.fromkeys(re.sub(r"^[\w.-]+=(?=https?://)", "", word) for word in words)
        remote = [address for address in addresses if not address or is_remote(address)]
        return tuple(replace(self.index, settings=replace(self.index.settings, index_url=url)) for url in remote)

    def index_of(self, url: str) -> Index:
        """The index that serves a file, whose login may be needed for it."""
        return next((index for index in self.indexes if index.serves(url)), self.index)

    @property
    def _uv_home(self) -> Path:
        return uv_home(self.cache, self.environ)

    @property
    def _uv_environ(self) -> dict[str, str]:
        own = {
            name: value
            for name, value in self.environ.items()
            # A requirement without a wheel is built, and builds must not see the upload token.
            if name.startswith("UV_") and not name.startswith("UV_PUBLISH_")
        }
        offline = {"UV_OFFLINE": "1"} if self.index.offline else {}
        return {**_only(self.environ, _SHARED), **self.index.settings.uv_environ, **own, **offline}

    def confinement(self, *folders: Path) -> Confinement:
        """A confinement that protects the caches from builds, except these folders."""
        return Confinement(self.cache, folders)

    def sandbox(self, folder: Path, python: Path, environ: Mapping[str, str], *readable: Path) -> Sandbox | None:
        """What builds in `folder`, with the interpreter of an environment there, see; None if the kernel forbids it.

        They may read what `environ` names, and `readable`. Files of the environment are hard links to uv's cache, if
        that is on the same disk, so changes go to a layer above them.
        """
        if self.allowed.namespaces:
            return None
        temporary, environment = folder / "system-tmp", python.parent.parent
        temporary.mkdir(exist_ok=True)
        homes = (self.environ[name] for name in _HOMES if self.environ.get(name, "").startswith("/"))
        layered = not self.allowed.overlay and folder in environment.parents and _on_one_disk(folder, self.cache)
        return Sandbox(
            temporary=temporary,
            writable=(folder,),
            readable=(*base_of(python), *named_in(environ), *readable),
            hidden=(self.cache, *map(Path, homes)),
            layers=(Layer(environment, folder / "environment-changes"),) if layered else (),
        )

    def dated(self, epoch: int) -> LocalHost:
        """The environment with SOURCE_DATE_EPOCH set (reproducible-builds.org/specs/source-date-epoch)."""
        return replace(self, environ={**self.environ, "SOURCE_DATE_EPOCH": str(epoch)})

    def with_interpreters(self, more: Mapping[PythonTag, Interpreter]) -> LocalHost:
        return replace(self, interpreters={**self.interpreters, **more})

    def make_environment(self, python: Path, folder: Path, log: Path | None, deadline: float | None = None) -> Path:
        """Make an empty virtual environment of `python` in `folder`; return its interpreter."""
        command = [uv(), "venv", "--quiet", "--no-project", "--python", str(python), str(folder)]
        self.processes.run(command, env=self.installer_environ, cwd=self._uv_home, log=log, deadline=deadline)
        return folder / "bin" / "python"

    def install(
        self,
        requirements: Iterable[str],
        python: Path,
        log: Path | None,
        deadline: float | None = None,
        into: Path | None = None,
        constraints: Path | None = None,
    ) -> None:
        """Install into the environment of `python`, or wheels alone into the folder `into`.

        `constraints` is a file of them, in the environment's folder.
        """
        listed = sorted(requirements)
        if listed:

            def run(command: Sequence[str], environ: Mapping[str, str]) -> None:
                self.processes.run(
                    command,
                    env=environ,
                    cwd=self._uv_home,
                    log=log,
                    deadline=deadline,
                    confinement=self.confinement(python.parent.parent),
                )

            def build(command: Sequence[str], environ: Mapping[str, str]) -> None:
                with self._building(python, listed, environ) as (namespace, own, cwd):
                    self.processes.run(command, env=own, cwd=cwd, log=log, deadline=deadline, namespace=namespace)

            folder = ["--target", str(into), "--only-binary", ":all:"] if into else []
            limits = ["--constraint", str(constraints)] if constraints else []
            command = [uv(), "pip", "install", "--python", str(python), *folder, *limits, "--", *listed]
            sandboxed = None if into or self.allowed.namespaces else build
            install(run, command, self.installer_environ_with_login, self.installer_environ, sandboxed)

    def resolve(self, command: Sequence[str], folder: Path, python: Path, places: Sequence[Path]) -> str:
        """What a resolution by uv prints; it writes to `folder`, and reads `places`.

        It runs in the current folder, from which relative paths in requirements count, if one of `places` is there.

        Uv may build packages for their metadata. They see what builds see, if the kernel allows it, and the login of an
        index, if there is one. What they change in folders of `places` is dropped. Raises CommandFailed.
        """
        environ = {**self.installer_environ_with_login, "UV_PYTHON_DOWNLOADS": "never"}
        cwd = next((here for here in [Path.cwd()] for place in places if place.is_relative_to(here)), folder)
        if self.allowed.namespaces:
            return self.processes.run(command, env=environ, cwd=cwd)
        kept = open_builds(self.cache, ["dependency trees"])
        with temporary_folder() as name:
            own = Path(name)
            environ = resolving_environ(environ, own, kept)
            sandbox = self.sandbox(own, python, environ, Path(uv()), *named_by_uv(environ), *_UV_SETTINGS, *places)
            assert sandbox  # noqa: S101 - the kernel allows it
            folders = [] if self.allowed.overlay else [place for place in places if place.is_dir()]
            layers = tuple(Layer(place, own / f"changes-{number}") for number, place in enumerate(folders))
            sandbox = replace(sandbox.showing(writable=(folder, kept)), layers=layers)
            with sandbox.entered() as namespace:
                return self.processes.run(command, env=environ, cwd=cwd, namespace=namespace)

    @contextmanager
    def _building(
        self, python: Path, requirements: Sequence[str], bare: Mapping[str, str]
    ) -> Iterator[tuple[Namespace, dict[str, str], Path]]:
        """The namespace, variables and folder for uv, if it has to build requirements; they see what builds see."""
        with temporary_folder() as name:
            folder, kept = Path(name), open_builds(self.cache, requirements)
            environ = building_environ(bare, folder, kept, self.environ)
            sandbox = self.sandbox(folder, python, environ, Path(uv()), *named_by_uv(environ))
            assert sandbox  # noqa: S101 - the caller asked whether the kernel allows it
            with sandbox.showing(writable=(python.parent.parent, kept)).entered() as namespace:
                yield namespace, environ, folder


def local_host(
    *, offline: bool, listener: Listener, wheels: Iterable[Path] = (), within: Processes | None = None
) -> LocalHost:
    """Examine this machine; takes a second without a cache, because every interpreter is started.

    `wheels` are folders that installers search beside the caller's find-links. `within` stops its processes, too.
    """
    environ = dict(os.environ)
    folders = [str(folder.absolute()) for folder in wheels]
    if own := environ.get("UV_FIND_LINKS"):
        environ["UV_FIND_LINKS"] = ",".join([own, *folders])
    processes = Processes(within)
    cache = own_cache(user_cache(environ))
    answers = answers_in(cache)
    with ThreadPoolExecutor(max_workers=2) as pool:
        asking_pip = pool.submit(read_pip_settings, processes, environ, answers)
        looking = pool.submit(find_interpreters, processes, environ, answers)
        settings, interpreters = asking_pip.result(), looking.result()
    settings = replace(settings, find_links=(*settings.find_links, *folders))
    return LocalHost(
        environ=environ,
        cache=cache,
        processes=processes,
        index=Index(settings, cache, offline=offline, listener=listener),
        interpreters=interpreters,
        machine=platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
    )


def rust_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for rustup's toolchains, for builds with another HOME.

    Builds may use installed toolchains but install none, neither there nor in the build's HOME, where maturin would
    install a complete Rust for each wheel. Cargo's folder is not passed on, because it contains the user's tokens:
    Cargo makes a new one in the build's HOME.
    """
    none = {"MATURIN_NO_INSTALL_RUST": "1"}
    folder = Path(environ.get("RUSTUP_HOME") or Path(environ.get("HOME") or "/", ".rustup"))
    if not folder.is_dir():
        return none
    chosen = {"RUSTUP_TOOLCHAIN": environ["RUSTUP_TOOLCHAIN"]} if environ.get("RUSTUP_TOOLCHAIN") else {}
    return {**none, "RUSTUP_HOME": str(folder.absolute()), "RUSTUP_AUTO_INSTALL": "0", **chosen}


def _on_one_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _with_cargo(environ: Mapping[str, str]) -> dict[str, str]:
    """PATH with the folder of rustup's programs at its end, unless it has a Cargo: only login shells have it there."""
    path = environ.get("PATH", os.defpath)
    folder = Path(environ.get("CARGO_HOME") or Path(environ.get("HOME") or "/", ".cargo"), "bin")
    return {} if shutil.which("cargo", path=path) or not (folder / "cargo").is_file() else {"PATH": f"{path}:{folder}"}


def _only(environ: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: environ[name] for name in environ if name in names or name.startswith("LC_")}
