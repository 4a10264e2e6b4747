"""Sources of emulators, and how each registers them in the kernel of a Docker host.

Exit codes prove little: tonistiigi/binfmt always ends with 0. So the step `register` runs a test program before and
afterwards, and only its result counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crosswheel.containers import binfmt
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.emulation import run_once
from crosswheel.containers.images import ensure_image
from crosswheel.errors import CannotRun
from crosswheel.model.job import Listener, chore
from crosswheel.model.targets import Architecture
from crosswheel.system.process import CommandFailed, Processes

DEFAULT_IMAGE = "tonistiigi/binfmt"

_PATIENCE = 120  # seconds; registration only writes a few lines to the kernel
# The scope, the same for all providers.
SCOPE = "the entries are in the kernel of the Docker host, for all containers and users, until its next boot"
_US = 'sudo "$(command -v crosswheel)" register'


class Provider(Protocol):
    """A source of emulators. `name` is its name in --provider."""

    @property
    def name(self) -> str: ...

    def changes(self, archs: Sequence[Architecture]) -> Iterator[str]:
        """The changes that `act` makes on the host, worded to follow "will"."""
        ...

    def act(self, archs: Sequence[Architecture], listener: Listener) -> str:
        """Register, and return the output; the caller checks the result. Raises CrosswheelError."""
        ...

    def advice(self, archs: Sequence[Architecture]) -> str:
        """The hint if it did not help."""
        ...


@dataclass(frozen=True)
class InstalledEmulators:
    """The emulators of this machine, which shares its kernel with the Docker host; we write the entries ourselves."""

    host: DockerHost
    emulators: Mapping[Architecture, Path]
    processes: Processes
    name: str = "host"

    def changes(self, archs: Sequence[Architecture]) -> Iterator[str]:
        there = {handler.name: handler for handler in binfmt.handlers()}
        for handler in self._handlers(archs):
            old = there.get(handler.name)
            instead = f" instead of {old.interpreter} (flags {old.flags})" if old else ""
            yield f"register {handler.interpreter} as {handler.name} (flags {handler.flags}){instead}"

    def act(self, archs: Sequence[Architecture], listener: Listener) -> str:
        handlers = tuple(self._handlers(archs))
        with chore(f"registering {', '.join(handler.name for handler in handlers)}", listener):
            try:
                binfmt.register(handlers, self.processes)
            except (CommandFailed, OSError) as error:
                said = str(getattr(error, "output", "") or error).strip()
                raise CannotRun(f"this kernel registers none of them: {said}", hint=self.advice(archs)) from error
        return ""

    def advice(self, archs: Sequence[Architecture]) -> str:
        return _command(archs, DEFAULT_IMAGE)

    def _handlers(self, archs: Sequence[Architecture]) -> Iterator[binfmt.Handler]:
        return (binfmt.new_handler(arch, self.emulators[arch]) for arch in archs)


@dataclass(frozen=True)
class ImageOfEmulators:
    """An image that registers its emulators in a privileged container, the only one that crosswheel ever starts."""

    host: DockerHost
    name: str
    mirrors: tuple[str, ...] = ()

    @property
    def resets(self) -> bool:
        """Whether the image first removes all entries, then registers all it has, like multiarch/qemu-user-static."""
        return "qemu-user-static" in self.name

    @property
    def reference(self) -> str:
        tagged = "@" in self.name or ":" in self.name.rpartition("/")[2]
        return self.name if tagged else f"{self.name}:latest"

    def arguments(self, archs: Sequence[Architecture]) -> list[str]:
        if self.resets:
            return ["--reset", "-p", "yes"]
        names = ",".join(arch.oci.split("/")[1] for arch in archs)
        # The image would keep an existing entry of that name, which does not work.
        return ["--uninstall", names, "--install", names]

    def changes(self, archs: Sequence[Architecture]) -> Iterator[str]:
        if self.resets:
            yield "remove every entry qemu-* of that kernel, then register all emulators of the image"
        else:
            yield f"replace the entries for {_names(archs)}, if there are any"
        yield f"run with all privileges on the Docker host: docker run --rm --privileged {' '.join(self._words(archs))}"

    def act(self, archs: Sequence[Architecture], listener: Listener) -> str:
        machine = self.host.arch
        if machine is None:
            raise CannotRun(
                f"no image of emulators supports the Docker host at {self.host.address}: {self.host.machine}",
                hint=f"on that machine, as root: {_command(archs, 'host')}",
            )
        image = ensure_image(self.host, self.reference, machine, mirrors=self.mirrors, offline=False, listener=listener)
        doing = f"running {self.name} in a privileged container"
        # An interruption waits for the thread: killed in between, the image would leave some entries without others.
        with chore(doing, listener), engine_errors(doing, CannotRun), ThreadPoolExecutor(max_workers=1) as pool:
            words = self.arguments(archs)
            running = pool.submit(run_once, self.host, image.id, machine, _PATIENCE, command=words, privileged=True)
            ending = running.result()
        late = "" if ending.exit_code is not None else f"it did not end within {_PATIENCE} s"
        return ending.output or late

    def advice(self, archs: Sequence[Architecture]) -> str:
        if self.resets:
            return _command(archs, DEFAULT_IMAGE)
        return f"install qemu-user-static there, then {_command(archs, 'host')}"

    def _words(self, archs: Sequence[Architecture]) -> list[str]:
        return [self.name, *self.arguments(archs)]


def choose_provider(
    wanted: str,
    host: DockerHost,
    archs: Sequence[Architecture],
    *,
    mirrors: tuple[str, ...],
    environ: Mapping[str, str],
    processes: Processes,
) -> Provider:
    """The requested provider; for ``auto`` this machine's emulators if they can be used, otherwise the image.

    Raises CannotRun if the provider cannot register anything.
    """
    if wanted in {"auto", "host"}:
        found = {arch: binfmt.find_emulator(arch, environ) for arch in archs}
        why_not = _refusal(host, found)
        if why_not is None:
            return InstalledEmulators(host, {arch: path for arch, path in found.items() if path}, processes)
        if wanted == "host":
            raise why_not
    if host.rootless:
        raise CannotRun(
            f"the Docker Engine at {host.address} is rootless: even its privileged containers are not root for the "
            "kernel and cannot register emulators",
            hint=f"on that machine: {_US} --arch {_names(archs)} --provider host --docker-host {host.address}",
        )
    return ImageOfEmulators(host, DEFAULT_IMAGE if wanted == "auto" else wanted, mirrors)


def failure(provider: Provider, missing: Mapping[Architecture, CannotRun], said: str) -> CannotRun:
    """The error if programs do not run after the registration; `said` is the provider's output."""
    lines = [
        f"{provider.name} finished, but",
        *(f"  {error.message}" for error in missing.values()),
        *(f"  | {line}" for line in said.splitlines()),
    ]
    return CannotRun("\n".join(lines), hint=provider.advice(tuple(missing)))


def _refusal(host: DockerHost, emulators: Mapping[Architecture, Path | None]) -> CannotRun | None:
    """The error if this machine's emulators cannot be used for the Docker host, otherwise None."""
    archs = tuple(emulators)
    if not binfmt.shares_kernel(host):
        return CannotRun(
            f"--provider host writes to this machine's kernel, but the Docker host at {host.address} has another one",
            hint=f"{_command(archs, DEFAULT_IMAGE)}, or on that machine: {_command(archs, 'host')}",
        )
    missing = [arch for arch, path in emulators.items() if path is None]
    if missing:
        return CannotRun(
            f"no qemu-*-static for {_names(missing)} found in PATH or /usr/bin",
            hint=f"sudo apt install qemu-user-static, or {_command(missing, DEFAULT_IMAGE)}",
        )
    if os.geteuid() != 0:
        return CannotRun(
            "only root may register emulators in this kernel",
            hint=f"{_US} --arch {_names(archs)} --provider host --docker-host {host.address}",
        )
    return None


def _command(archs: Sequence[Architecture], provider: str) -> str:
    return f"crosswheel register --arch {_names(archs)} --provider {provider}"


def _names(archs: Sequence[Architecture]) -> str:
    return ",".join(arch.name for arch in archs)
