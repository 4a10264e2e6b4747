"""The step `repair`: makes a wheel comply with the requested policy, by grafting libraries, and renames it.

auditwheel analyses, grafts and patches in a separate process: formats/auditwheel_repair.py.
"""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from pathlib import Path

from crosswheel.auditing.rules.record import Signed
from crosswheel.errors import RepairFailed
from crosswheel.formats.sboms import OWNERS
from crosswheel.formats.wheels import Wheel
from crosswheel.model.adoption import PROJECT
from crosswheel.model.targets import Target
from crosswheel.steps.build import with_whole_project
from crosswheel.steps.libraries import gather_libraries
from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work
from crosswheel.system.process import CommandFailed

_REPAIRED = "/tmp/cibuildwheel/repaired_wheel"  # noqa: S108 - in the container, as in cibuildwheel's
_LIBRARY = "put the library into a folder, and set sysroot.{arch} in [tool.crosswheel] to it"


@step(needs=["workspace"])
def repair(work: Work) -> Work:
    """The work with the repaired wheel; a pure one stays unchanged. Raises RepairFailed, never uses another policy."""
    wheel = work.read()
    if wheel.is_pure:
        return replace(work, parsed=wheel)
    target = work.job.target
    _refuse_other_platforms(wheel, target)
    folder = work.workspace.root / "repaired"
    folder.mkdir()
    if work.config.mode and work.config.mode.repair:
        return work.with_wheel(_by_command(work.config.mode.repair, work, folder))
    libraries = gather_libraries(work, wheel)
    strip, wider = ("yes" if asked else "" for asked in (work.config.build.strip, work.config.build.wider_tags))
    owners = {name: astuple(package) for name, package in libraries.owners.items()}
    (folder / OWNERS).write_text(json.dumps(owners))
    places, epoch = [str(work.wheel), str(target), str(folder)], str(work.sdist.epoch)
    arguments = [*places, strip, wider, str(libraries.folder), epoch, "\n".join(work.config.audit.exclude)]
    answer = _ask(work, arguments)
    if "missing" in answer:
        name = answer["missing"]
        reason = libraries.refused.get(name, f"no library of that name was found for {target.arch}")
        text = f"the wheel needs {name or 'a library without a name'}: {reason}"
        raise RepairFailed(text, hint=_LIBRARY.format(arch=target.arch))
    if "error" in answer:
        raise RepairFailed(answer["error"], hint=answer["hint"] or f"less {work.workspace.log}")
    gone = (replace(found, found=f"{found.found}, taken out by the repair") for found in Signed().check(wheel, target))
    return replace(work.with_wheel(Path(answer["wheel"])), noted=(*work.noted, *gone))


def _by_command(command: str, work: Work, folder: Path) -> Path:
    """The wheel that the project's own command makes in the build's container. Raises RepairFailed."""
    workspace = with_whole_project(work.workspace)
    if workspace is None:
        raise RepairFailed("repair-wheel-command needs a container", hint="crosswheel plan, with another --engine")
    places = {"{wheel}": str(work.wheel), "{dest_dir}": _REPAIRED, "{project}": PROJECT}
    for name, place in places.items():
        command = command.replace(name, place)
    log, container = workspace.log, workspace.container
    try:
        container.run(["sh", "-c", f"rm -rf {_REPAIRED} && mkdir -p {_REPAIRED}"], deadline=workspace.deadline)
        workspace.run_own(command)
    except CommandFailed as error:
        text = f"repair-wheel-command ended with {error.ending}: {command}"
        raise RepairFailed(text, hint=f"less {log}") from error
    container.get(_REPAIRED, folder)
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        names = ", ".join(path.name for path in wheels) or "none"
        raise RepairFailed(f"repair-wheel-command must leave one wheel, but left {names}", hint=f"less {log}")
    return wheels[0]


def _refuse_other_platforms(wheel: Wheel, target: Target) -> None:
    """Raise RepairFailed for a wheel of another platform: its build may have compiled the wrong parts."""
    libc = "manylinux" if target.policy.libc == "glibc" else "musllinux"
    for platform in sorted({tag.platform for tag in wheel.tags}):
        if not (platform.startswith(("linux_", libc)) and platform.endswith(f"_{target.arch}")):
            raise RepairFailed(
                f"the build backend made a wheel for {platform}, but the target is {target}",
                hint="find in the project's build files the origin of the platform in the wheel's name",
            )


def _ask(work: Work, arguments: list[str]) -> dict[str, str]:
    workspace = work.workspace
    try:
        text = work.services.repair_worker.run(
            arguments,
            workspace.host.processes,
            environ=workspace.host.build_environ,
            # `python -m` imports from the current folder first, where a project may have its own packaging.py.
            cwd=workspace.root / "repaired",
            deadline=workspace.deadline,
        )
    except CommandFailed as error:
        raise RepairFailed(
            f"auditwheel failed:\n{error.output.strip()[-2000:]}", hint=f"less {work.workspace.log}"
        ) from error
    return dict(json.loads(text.splitlines()[-1]))
