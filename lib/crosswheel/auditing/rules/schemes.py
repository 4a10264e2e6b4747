"""5xx: the .data folder, whose parts installers distribute over the environment, and the scripts in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import SCHEMES, Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

# What installers replace (#!python), and what every system has.
_STARTS_EVERYWHERE = re.compile(rb"#! *(?:pythonw?\b|/usr/bin/env |(?:/usr)?/bin/)[^\r\n]*(?:\n|$)|#!pythonw?\r?\n")
_FIRST_LINE = re.compile(rb"#![^\n]{0,200}")


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
