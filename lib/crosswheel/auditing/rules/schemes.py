"""5xx: the .data folder, whose parts installers distribute over the environment, and the scripts in it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import SCHEMES, Wheel, entry_points
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

# What installers replace (#!python), and what every system has.
_STARTS_EVERYWHERE = re.compile(rb"#! *(?:pythonw?\b|/usr/bin/env |(?:/usr)?/bin/)[^\r\n]*(?:\n|$)|#!pythonw?\r?\n")
_FIRST_LINE = re.compile(rb"#![^\n]{0,200}")
# Commands that every environment has, with the project that they come from, if it is not Python itself.
_OF_THE_ENVIRONMENT = re.compile(
    r"(?P<python>pythonw?(?:3(?:\.\d+)?t?)?(?:-config)?|pydoc3?|idle3?|(?:de)?activate(?:\.\w+)?)|(?P<pip>pip(?:3(?:\.\d+)?)?)",
    re.IGNORECASE,
)


class DataMisplaced(Rule):
    """A file is in a .data folder for which installers have no place."""

    code = "W521"
    why = "pip and uv refuse the wheel: unknown scheme key. A folder of another name is installed differently by each."
    fix = "name the folder like the .dist-info folder, and put files into its data, headers, platlib, purelib, scripts"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        own = f"{wheel.dist_info.removesuffix('.dist-info')}.data"
        found: dict[str, str] = {}
        for member in wheel.members:
            top, _, rest = member.partition("/")
            scheme, _, path = rest.partition("/")
            if top.endswith(".data") and rest and (top != own or scheme not in SCHEMES or not path):
                found.setdefault(f"{top}/{scheme}" if top == own else top, member)
        for folder, member in found.items():
            yield self.finding(member=member, found=folder, expected=f"{own}/ with {', '.join(sorted(SCHEMES))}")


class ScriptUnstartable(Rule):
    """The first line of a script names a program that other machines lack."""

    code = "W523"
    level = "warning"
    why = "The script is installed, and fails when it is started: bad interpreter, no such file or directory."
    fix = "begin the script with #!python, which installers replace, or make it an entry point: [project.scripts]"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member in wheel.members:
            if member in wheel.elves or not wheel.installed(member).startswith(SCHEMES["scripts"]):
                continue
            data = wheel.data_of(member) or b""
            line = _FIRST_LINE.match(data)
            if line and not _STARTS_EVERYWHERE.match(data):
                text = line[0].decode("utf-8", "replace")
                found = f"{text.rstrip()} with a Windows line end" if text.endswith("\r") else text
                yield self.finding(member=member, found=found, expected="#!python")


class CommandReplaced(Rule):
    """A script of the wheel has the name of a command that every environment has."""

    code = "W525"
    why = "The installation overwrites python, pip or activate of the environment, which is broken or hijacked then."
    fix = "rename the script under [project.scripts], or in the wheel's .data/scripts folder"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, name in _commands(wheel):
            command = _OF_THE_ENVIRONMENT.fullmatch(name.removesuffix(".exe"))
            if command and command.lastgroup != wheel.name:
                yield self.finding(member=member, found=name, expected="a name of its own")


def _commands(wheel: Wheel) -> Iterator[tuple[str, str]]:
    """The member that states each command, and the command's name."""
    for member in wheel.members:
        folder, _, file = wheel.installed(member).rpartition("/")
        if f"{folder}/" == SCHEMES["scripts"]:
            yield member, file
    try:
        stated = list(entry_points(wheel))
    except configparser.Error:  # reported by another rule
        return
    for group, name, _ in stated:
        if group in {"console_scripts", "gui_scripts"}:
            yield f"{wheel.dist_info}/entry_points.txt", name
