"""A host of containers without an engine: namespaces of this machine, without root and without a change to it.

Images are unpacked in the user's cache. What containers add lies beside them, in the folder ``namespaces``::

    containers/NAME/     files of a container, above those of its image; removed at its end
    layers/NAME/         files that lasting layers add
    volumes/NAME/        files of a volume
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from crosswheel.containers import binfmt
from crosswheel.containers.emulation import CPU, Ending, Running, best_way, program
from crosswheel.containers.host import Fill
from crosswheel.containers.images import Image
from crosswheel.containers.namespace_container import NamespaceContainer, State
from crosswheel.containers.namespace_layers import Layers
from crosswheel.containers.opt_python import read_pythons
from crosswheel.errors import CannotRun, ImageUnavailable
from crosswheel.images.store import Silent, UnpackedImage, ensure_unpacked, find_unpacked
from crosswheel.model.job import Interpreter, Listener
from crosswheel.model.targets import Architecture, PythonTag, architectures
from crosswheel.system.cgroups import memory_group
from crosswheel.system.local_host import LocalHost
from crosswheel.system.locks import mark_used, take
from crosswheel.system.memo import Answers
from crosswheel.system.namespaces import CONTAINER_CAPABILITIES, Mount, Namespace, bind, devices, proc, tmpfs
from crosswheel.system.namespaces import binfmt as own_binfmt
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.system.refusal import Refusal
from crosswheel.system.removal import remove_tree
from crosswheel.system.subordinate_ids import find_maps, this_user

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIMITS = {"NPROC": 8192, "CORE": 0}  # a fork bomb in a build must not harm the machine
_NETWORK = ("/etc/resolv.conf", "/etc/hosts")
_PROGRAM = "/exit-42"


@dataclass(frozen=True)
class NamespaceHost:
    """As in the protocol ContainerHost.

    `roots` has the folders of the images that were found, by their ids; `silent` the registries that do not answer.
    """

    host: LocalHost
    roots: dict[str, Path] = field(default_factory=dict, repr=False, compare=False)
    silent: Silent = field(default_factory=dict, repr=False, compare=False)

    @property
    def address(self) -> str:
        return "this machine's namespaces"

    @property
    def kind(self) -> str:
        return "namespaces of this machine"

    @property
    def machine(self) -> str:
        return self.host.machine

    @property
    def arch(self) -> Architecture | None:
        return architectures().get(self.machine)

    @property
    def cpus(self) -> int:
        return self.host.cpus

    @property
    def memory(self) -> int:
        return self.host.memory

    @property
    def shares_loopback(self) -> bool:
        return True

    @property
    def folder(self) -> Path:
        return self.host.cache / "namespaces"

    @property
    def layers(self) -> Layers:
        return Layers(self.folder / "layers")

    def runs_natively(self, arch: Architecture) -> bool:
        return self.arch == arch or (self.machine, arch.name) == ("x86_64", "i686")

    # ---- emulators --------------------------------------------------------------------------------------------

    def survey(self, archs: Iterable[Architecture], answers: Answers) -> Mapping[Architecture, Running | CannotRun]:
        """How programs of the architectures run; the answer holds as long as kernel and emulator are the same."""
        return {arch: self._running(arch, answers) for arch in archs}

    def _running(self, arch: Architecture, answers: Answers) -> Running | CannotRun:
        emulator = self._emulator(arch)
        question = (str(arch), os.uname().release, self.machine, str(emulator))
        if (kept := answers.recall("namespace", *question)) is not None:
            return Running(arch, natively=kept["natively"], cpu=kept["cpu"])
        asked = time.time()
        answer = best_way(arch, lambda cpu: self._try(arch, cpu))
        if isinstance(answer, str):
            return CannotRun(f"no program for {arch} runs on this machine: {answer}", hint=self._remedy(arch))
        # An emulator that the machine has registered may be gone tomorrow.
        if emulator or answer.natively:
            kept, rests_on = {"natively": answer.natively, "cpu": answer.cpu}, [emulator] if emulator else []
            answers.keep(kept, "namespace", *question, asked=asked, rests_on=rests_on)
        return answer

    def _remedy(self, arch: Architecture) -> str:
        if refusal := self.host.allowed.binfmt:
            return str(refusal)
        return f"sudo apt install qemu-user-static, or another package with {binfmt.emulator_name(arch)}"

    def _emulator(self, arch: Architecture) -> Path | None:
        """The emulator to register in namespaces; none for native programs, and for kernels that cannot."""
        if self.runs_natively(arch) or self.host.allowed.binfmt:
            return None
        return binfmt.find_emulator(arch, self.host.environ)

    def _handlers(self, arch: Architecture) -> tuple[Mount, ...]:
        """An own binfmt_misc with the emulator; without one, the machine's entries hold."""
        emulator = self._emulator(arch)
        return (own_binfmt([binfmt.new_handler(arch, emulator).line]),) if emulator else ()

    def _try(self, arch: Architecture, cpu: str) -> Ending:
        with tempfile.TemporaryDirectory(dir=self._made("containers"), prefix=".trying-") as folder:
            path = Path(folder, "program")
            path.write_bytes(program(arch))
            path.chmod(0o700)
            mounts = (tmpfs("/"), bind(path, _PROGRAM), proc(), *self._handlers(arch))
            namespace = Namespace(mounts, as_root=True, network=False)
            try:
                self.host.processes.run([_PROGRAM], env={CPU: cpu} if cpu else {}, namespace=namespace)
            except CommandFailed as error:
                return Ending(error.returncode, error.output.lower())
        return Ending(0, "")

    # ---- images -----------------------------------------------------------------------------------------------

    def find_image(self, reference: str, arch: Architecture, mirrors: Sequence[str]) -> Image | None:  # noqa: ARG002
        found = find_unpacked(self.host.cache, reference, arch)
        return self._image(found) if found else None

    def ensure_image(
        self, reference: str, arch: Architecture, *, mirrors: Sequence[str], offline: bool, listener: Listener
    ) -> Image:
        return self._image(
            ensure_unpacked(
                self.host.cache,
                reference,
                arch,
                mirrors=mirrors,
                offline=offline,
                listener=listener,
                silent=self.silent,
            )
        )

    def _image(self, found: UnpackedImage) -> Image:
        self.roots[found.digest] = found.root
        return Image(found.digest, found.reference, found.digest, found.arch, found.environ, found.entrypoint, size=0)

    def pythons(self, image: Image, answers: Answers) -> Mapping[PythonTag, Interpreter]:  # noqa: ARG002
        return read_pythons(self._root(image))

    def _root(self, image: Image) -> Path:
        if image.id not in self.roots and not self.find_image(image.reference, image.arch, ()):
            raise ImageUnavailable(f"{image.reference} is not unpacked any more", hint="the same command again")
        return self.roots[image.id]

    def find_layer(self, repository: str, tag: str) -> str | None:
        name = f"{repository}-{tag}"
        return name if self.layers.has(name) else None

    # ---- volumes ----------------------------------------------------------------------------------------------

    def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:  # noqa: ARG002 - the name tells
        mark_used(self._made("volumes", name))

    def fill_volume(self, name: str, mount: PurePosixPath, image: Image, mark: str, fill: Fill) -> None:  # noqa: ARG002
        volume = self._made("volumes", name)
        if (volume / mark).exists():
            return
        with tempfile.TemporaryFile() as file:
            fill(file)
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as archive:
                archive.extractall(volume)  # noqa: S202 - made here and now
        (volume / mark).touch()

    # ---- containers -------------------------------------------------------------------------------------------

    @contextmanager
    def running(
        self,
        image: Image,
        processes: Processes,
        *,
        timeout: float,  # noqa: ARG002 - nothing of it runs without this process
        environ: Mapping[str, str] | None = None,
        volumes: Mapping[str, str] | None = None,
        caches: Mapping[str, str] | None = None,
        memory: int = 0,
        emulated: bool = False,
    ) -> Iterator[NamespaceContainer]:
        """A container that exists as long as the block; its memory is limited where a cgroup may be made.

        Raises ImageUnavailable.
        """
        root = self._root(image)
        below = self.layers.chain(image.layer) if image.layer else ()
        with self._folder() as folder, memory_group(memory) as group:
            container = NamespaceContainer(
                image=image,
                processes=processes,
                emulated=emulated,
                cpus=self.cpus,
                environ={"PATH": _PATH, "HOME": "/root", **image.environ, **(environ or {})},
                view=self._view(image.arch, volumes or {}, caches or {}),
                root=root,
                layers=self.layers,
                folder=folder,
                group=group,
                state=State(below),
            )
            try:
                yield container
            finally:
                container.remove()

    def _view(self, arch: Architecture, volumes: Mapping[str, str], caches: Mapping[str, str]) -> Namespace:
        mounts = (
            *devices(),
            proc(),
            *self._handlers(arch),
            bind("/sys"),
            *(bind(path) for path in _NETWORK if Path(path).exists()),
            *(bind(self._made("volumes", name), path) for name, path in volumes.items()),
            *(bind(self._made("volumes", name), path, writable=True) for name, path in caches.items()),
        )
        found = find_maps(this_user())
        maps = {} if isinstance(found, Refusal) else found  # then root is its only user
        return Namespace(mounts, as_root=True, capabilities=CONTAINER_CAPABILITIES, limits=_LIMITS, maps=maps)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """A new folder for a container, locked as long as the block."""
        parent, handle = self._made("containers"), None
        while handle is None:
            folder = Path(tempfile.mkdtemp(dir=parent, prefix="run-"))
            handle = take(folder)
        try:
            for name in ("files", "work"):
                (folder / name).mkdir(mode=0o755)
            yield folder
        finally:
            remove_tree(folder)
            os.close(handle)

    def remove_stale(self) -> int:
        count = 0
        for folder in (self.folder / "containers").glob("run-*"):
            if (handle := take(folder)) is not None:
                remove_tree(folder)
                os.close(handle)
                count += 1
        self.layers.remove_stale()
        return count

    def _made(self, *parts: str) -> Path:
        folder = Path(self.folder, *parts)
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """Nothing is open."""
