"""Which namespaces this machine's kernel permits, found out by making some; else the reason, and the remedy."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from crosswheel.system.memo import Answers
from crosswheel.system.namespace_init import CANNOT
from crosswheel.system.namespaces import Mount, Namespace, binfmt, overlay, proc, tmpfs
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.system.refusal import Refusal

_SYSCTLS = (
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.unprivileged_userns_clone",
    "user.max_user_namespaces",
    "user.max_mnt_namespaces",
    "user.max_pid_namespaces",
)
_BINFMT_SINCE, _OVERLAY_SINCE = (6, 7), (5, 11)  # in user namespaces; see the kernel's change logs
_FILTERED = 2  # Seccomp in proc(5)


@dataclass(frozen=True)
class Allowed:
    """What this process may do; None means yes."""

    namespaces: Refusal | None
    overlay: Refusal | None
    binfmt: Refusal | None


@dataclass(frozen=True)
class Kernel:
    """What explains a refusal: the release, settings (empty where the kernel has none), and a system call filter."""

    release: str
    settings: Mapping[str, str] = field(default_factory=dict)
    filtered: bool = False
    root: bool = False

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(map(int, re.findall(r"\d+", self.release)[:2]))


def this_kernel() -> Kernel:
    settings, filtered = {}, False
    for name in _SYSCTLS:
        with suppress(OSError):
            settings[name] = Path("/proc/sys", *name.split(".")).read_text("ascii").strip()
    with suppress(OSError):
        filtered = f"Seccomp:\t{_FILTERED}\n" in Path("/proc/self/status").read_text("utf-8", "replace")
    return Kernel(os.uname().release, settings, filtered, root=os.geteuid() == 0)


def allowed(processes: Processes, folder: Path) -> Allowed:
    """Make namespaces with and without each feature; 0.1 s. Overlays are tried in `folder`. Raises Stopped."""
    kernel = this_kernel()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        suppress(OSError),
        tempfile.TemporaryDirectory(dir=folder, prefix=".trying-", ignore_cleanup_errors=True) as own,
    ):
        layers = overlay("/", [_made(own, "lower")], _made(own, "upper"), _made(own, "work"))
        emulators = binfmt(())
        if not _refused(processes, Path(own), layers, proc(), emulators):
            return Allowed(None, None, None)
        if said := _refused(processes, Path(own), tmpfs("/"), proc()):
            refusal = explain_namespaces(said, kernel)
            return Allowed(refusal, refusal, refusal)
        return Allowed(
            None,
            _explained_overlay(_refused(processes, Path(own), layers), folder, kernel),
            _explained_binfmt(_refused(processes, Path(own), tmpfs("/"), proc(), emulators), kernel),
        )
    refusal = Refusal(f"{folder} cannot be written to", "df -h; or set XDG_CACHE_HOME to a folder of yours")
    return Allowed(refusal, refusal, refusal)


def known_allowed(processes: Processes, folder: Path, answers: Answers) -> Allowed:
    """Like `allowed`, but where everything was permitted, it still is with the same kernel, settings and user."""
    question = (json.dumps(asdict(this_kernel())), str(os.geteuid()), str(folder))
    if answers.recall("allowed", *question):
        return Allowed(None, None, None)
    asked, found = time.time(), allowed(processes, folder)
    if found == Allowed(None, None, None):
        answers.keep(True, "allowed", *question, asked=asked)
    return found


def _made(*parts: str) -> Path:
    folder = Path(*parts)
    folder.mkdir()
    return folder


def _refused(processes: Processes, own: Path, *mounts: Mount) -> str:
    """The step that the kernel refuses, and its error; empty if it refuses none."""
    # The program is not there; only the way to it is of interest.
    try:
        processes.run(["/"], env={}, namespace=Namespace(mounts, as_root=True))
    except CommandFailed as error:
        return error.output.strip().removeprefix("crosswheel: ") if error.returncode == CANNOT else ""
    finally:
        # The kernel leaves a folder without any right.
        shutil.rmtree(own / "work" / "work", ignore_errors=True)
    return ""


def explain_namespaces(said: str, kernel: Kernel) -> Refusal:
    """The likeliest reason for which a namespace could not be made; `said` is the step that failed."""
    for kind in ("user", "mnt", "pid"):
        name = f"user.max_{kind}_namespaces"
        if kernel.settings.get(name) == "0":
            return Refusal(f"{name} is 0, so there are no such namespaces", f"sudo sysctl -w {name}=10000")
    if kernel.settings.get("kernel.unprivileged_userns_clone") == "0" and not kernel.root:
        name = "kernel.unprivileged_userns_clone"
        return Refusal("only root may make user namespaces", f"sudo sysctl -w {name}=1")
    if kernel.settings.get("kernel.apparmor_restrict_unprivileged_userns") == "1" and not kernel.root:
        name = "kernel.apparmor_restrict_unprivileged_userns"
        return Refusal("AppArmor forbids user namespaces to programs without a profile", f"sudo sysctl -w {name}=0")
    if said.startswith("mounting proc"):
        return Refusal(
            f"{said}: a container hides parts of its /proc",
            "docker run --security-opt systempaths=unconfined; or run outside of the container",
        )
    if kernel.filtered:
        return Refusal(
            f"{said}: a filter of system calls forbids it, as containers have",
            "docker run --security-opt seccomp=unconfined; or run outside of the container",
        )
    return Refusal(f"{said} (Linux {kernel.release})", "unshare --user --map-root-user --mount --pid --fork true")


def _explained_overlay(said: str, folder: Path, kernel: Kernel) -> Refusal | None:
    if not said:
        return None
    if kernel.version < _OVERLAY_SINCE:
        return Refusal(f"Linux {kernel.release} has no overlays for user namespaces", "Linux 5.11 or newer has")
    return Refusal(
        f"no overlay on the disk of {folder}: {said}",
        "sudo modprobe overlay; or set XDG_CACHE_HOME to a folder on ext4, xfs or btrfs",
    )


def _explained_binfmt(said: str, kernel: Kernel) -> Refusal | None:
    if not said:
        return None
    if kernel.version < _BINFMT_SINCE:
        return Refusal(
            f"Linux {kernel.release} has no binfmt_misc of its own for a namespace",
            "crosswheel register, which changes this machine; or Linux 6.7 or newer",
        )
    return Refusal(f"no binfmt_misc in a namespace: {said}", "sudo modprobe binfmt_misc")
