"""A diagnosis as a table with fixes, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.containers.emulation import Running
from crosswheel.errors import CrosswheelError
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.run import shown
from crosswheel.reporting.tables import Column, drawn
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import COMMAND, Line, count_text, size_text
from crosswheel.upkeep.doctor import Ability, Diagnosis, EnginePlace, EngineState, Machine, Problem
from crosswheel.upkeep.namespaces import NamespaceState
from crosswheel.upkeep.unpacked_images import PlatformImage

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"✔": "green", "✘": "red", "!": "yellow", "-": "dim"}


@dataclass(frozen=True)
class _Row:
    where: str
    mark: str
    what: str
    found: str


def diagnosis_text(diagnosis: Diagnosis, console: Console | None = None) -> str:
    """The table, then each problem with the command that fixes it; plain text without a console."""
    console = console or plain_console()
    needed = diagnosis.namespaces is None or diagnosis.namespaces.refusal is not None
    rows = [
        *_machine_rows(diagnosis.machine),
        *(row for place in diagnosis.places for row in _place_rows(place, needed=needed)),
    ]
    rows += _namespace_rows(diagnosis.namespaces) if diagnosis.namespaces else ()
    columns: list[Column[_Row]] = [
        Column("where", lambda row: row.where, lambda _row: "bold"),
        Column("what", lambda row: f"{row.mark} {row.what}", lambda row: _STYLES[row.mark]),
        Column("found", lambda row: row.found, prose=True),
    ]
    return shown(console, [drawn(columns, rows), "", *styled(_problem_lines(diagnosis.problems))])


def diagnosis_document(diagnosis: Diagnosis) -> Document:
    machine = diagnosis.machine
    return {
        "schema": SCHEMA,
        "kind": "doctor",
        "crosswheel": __version__,
        "exit_code": diagnosis.exit_code,
        "machine": {
            "machine": machine.machine,
            "cpus": machine.cpus,
            "memory": machine.memory,
            "interpreters": [
                {"tag": str(each.tag), "version": each.version, "path": str(each.path), "headers": each.headers}
                for each in machine.interpreters
            ],
            "zig": machine.zig,
            "tools": dict(machine.tools),
            "disks": [asdict(disk) for disk in machine.disks],
            "images": [asdict(image) for image in machine.images],
        },
        "docker_hosts": [_place(place) for place in diagnosis.places],
        "namespaces": _namespaces(diagnosis.namespaces) if diagnosis.namespaces else None,
        "problems": [asdict(problem) for problem in diagnosis.problems],
    }


def _place(place: EnginePlace) -> Document:
    heading = {"name": place.name, "chosen": place.chosen}
    if isinstance(place.answer, CrosswheelError):
        return {**heading, "answers": False, "reason": place.answer.message}
    host, engine = place.answer.host, place.answer
    return {
        **heading,
        "answers": True,
        "reason": "",
        "address": host.address,
        "product": host.product,
        "version": host.version,
        "api": engine.api,
        "rootless": host.rootless,
        "machine": host.machine,
        "cpus": host.cpus,
        "memory": host.memory,
        "used": engine.used,
        "disk": asdict(engine.disk),
        "architectures": [_ability(ability) for ability in engine.abilities],
    }


def _namespaces(state: NamespaceState) -> Document:
    allowed = {"namespaces": state.allowed.namespaces, "overlay": state.allowed.overlay, "binfmt": state.allowed.binfmt}
    reasons = {**allowed, "other_users": state.other_users}
    return {
        "allowed": {name: refusal is None for name, refusal in allowed.items()},
        "reasons": {name: str(refusal) for name, refusal in reasons.items() if refusal},
        "limits_memory": state.limits_memory,
        "other_users": state.other_users is None,
        "architectures": [
            {
                "arch": arch.name,
                "runs": isinstance(answer, Running),
                "natively": isinstance(answer, Running) and answer.natively,
                "cpu": answer.cpu if isinstance(answer, Running) else "",
                "reason": "" if isinstance(answer, Running) else answer.message,
            }
            for arch, answer in state.answers.items()
        ],
    }


def _ability(ability: Ability) -> Document:
    answer, handler = ability.answer, ability.handler
    running = answer if isinstance(answer, Running) else None
    return {
        "arch": ability.arch.name,
        "wanted": ability.wanted,
        "runs": running is not None,
        "natively": running is not None and running.natively,
        "cpu": running.cpu if running else "",
        "reason": "" if isinstance(answer, Running) else answer.message,
        "handler": {
            "name": handler.name,
            "enabled": handler.enabled,
            "interpreter": handler.interpreter,
            "flags": handler.flags,
        }
        if handler
        else None,
        "complaints": [asdict(complaint) for complaint in ability.complaints],
    }


def _machine_rows(machine: Machine) -> Iterator[_Row]:
    facts = f"{machine.machine}, {count_text(machine.cpus, 'processor')}, {size_text(machine.memory)} of memory"
    yield _Row("this machine", "✔", "machine", facts)
    pythons = " ".join(f"{each.tag}{'' if each.headers else ' (without headers)'}" for each in machine.interpreters)
    yield _Row("", "✔" if pythons else "✘", "Pythons", pythons or "none")
    yield _Row("", "✔" if machine.zig else "-", "Zig", machine.zig or "not fetched yet")
    for tool, version in machine.tools.items():
        yield _Row("", "✔" if version else "✘", tool, one_line(version) or "does not run")
    for disk in machine.disks:
        free = "unknown" if disk.free is None else f"{size_text(disk.free)} free"
        yield _Row("", "✔", f"disk for {disk.what}", f"{free} in {one_line(disk.path)}")
    for image in machine.images:
        yield _Row("", "-" if image.size is None else "✔", f"image {image.platform}", one_line(_image_text(image)))


def _image_text(image: PlatformImage) -> str:
    if image.size is not None:
        return f"unpacked, {size_text(image.size)}"
    return f"not unpacked; {image.trouble or f'{image.registry} answers'}"


def _namespace_rows(state: NamespaceState) -> Iterator[_Row]:
    refusal = state.refusal
    text = f"not permitted: {one_line(refusal.reason)}" if refusal else "permitted: containers need no engine"
    yield _Row("namespaces", "-" if refusal else "✔", "containers", text)
    if not refusal and (narrower := state.allowed.binfmt):
        yield _Row("", "-", "own emulators", f"not permitted: {one_line(narrower.reason)}")
    if not refusal:
        limited = (
            "limited" if state.limits_memory else "not limited: no cgroup is delegated; systemd-run --user --scope"
        )
        yield _Row("", "✔" if state.limits_memory else "-", "memory", limited)
        lacking = state.other_users
        users = f"only root: {one_line(lacking.reason)}; {one_line(lacking.hint)}" if lacking else "root and others"
        yield _Row("", "-" if lacking else "✔", "users", users)
    for arch, answer in state.answers.items():
        if isinstance(answer, Running):
            yield _Row("", "✔", arch.name, answer.how)
        else:
            yield _Row("", "-", arch.name, one_line(answer.message.rpartition(": ")[2]))


def _place_rows(place: EnginePlace, *, needed: bool) -> Iterator[_Row]:
    # The row of the engine shows the address.
    name = f"{'Docker host' if place.chosen else 'context'} {'' if '://' in place.name else one_line(place.name)}"
    if isinstance(place.answer, CrosswheelError):
        yield _Row(name, "✘" if place.chosen and needed else "-", "engine", one_line(place.answer.message))
        return
    yield _Row(name, "✔", "engine", _engine_text(place.answer))
    for ability in place.answer.abilities:
        mark = "✔" if isinstance(ability.answer, Running) else "✘" if place.chosen and ability.wanted else "-"
        if mark == "✔" and place.chosen and ability.wanted and _is_complained_of(ability):
            mark = "!"
        yield _Row("", mark, ability.arch.name, _ability_text(ability))


def _engine_text(engine: EngineState) -> str:
    host = engine.host
    parts = [
        f"{host.product} {one_line(host.version)}{', rootless,' if host.rootless else ''} at {one_line(host.address)}",
        f"API {one_line(engine.api)}",
        f"{one_line(host.machine)}, {count_text(host.cpus, 'processor')}, {size_text(host.memory)} of memory",
        f"{size_text(engine.used)} of images" if engine.used is not None else "",
        f"{size_text(engine.disk.free)} free in {one_line(engine.disk.path)}" if engine.disk.free is not None else "",
    ]
    return "; ".join(part for part in parts if part)


def _ability_text(ability: Ability) -> str:
    if not isinstance(ability.answer, Running):
        return one_line(ability.answer.message.rpartition(f"programs for {ability.arch}: ")[2])
    handler = ability.handler
    if ability.answer.natively or handler is None:
        return ability.answer.how
    entry = f"{one_line(handler.name)}: {one_line(handler.interpreter)}, flags {one_line(handler.flags)}"
    return f"{ability.answer.how} ({entry})"


def _is_complained_of(ability: Ability) -> bool:
    return bool(ability.complaints) and isinstance(ability.answer, Running) and not ability.answer.natively


def _problem_lines(problems: tuple[Problem, ...]) -> Iterator[Line]:
    if not problems:
        yield "bold green", "no problems found"
    for problem in problems:
        yield "red" if problem.exit_code else "yellow", f"{'✘' if problem.exit_code else '!'} {one_line(problem.text)}"
        if problem.hint:
            yield COMMAND, f"    try: {one_line(problem.hint)}"
