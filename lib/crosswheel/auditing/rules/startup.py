"""5xx: code that every start of Python runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

# Lib/site.py imports these modules, if there are any.
_IMPORTED = re.compile(r"(?:site|user)customize(?:\.[^/]+|/__init__\.[^/]+)")
_IMPORT = re.compile(r"import[ \t]")
# Honest wheels have one such file or two.
_LARGEST, _MOST = 1 << 20, 100  # bytes of all such files of a wheel together, and their number
_SMALL = 1 << 16  # bytes
_ELSEWHERE = re.compile(r"/|[A-Za-z]:[\\/]|(?:\.\./){3}")
_SHOWN = 100  # characters shown of a line, which may contain a whole program


class StartupCode(Rule):
    """The wheel installs code that every start of Python in the environment runs."""

    code = "W515"
    level = "warning"
    why = (
        "Programs that never import the package run it, and malware uses this. CPython 3.18 ignores code in .pth files."
    )
    fix = "let users import the package; if necessary, name a function in a .start file (PEP 829, CPython 3.15)"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """Follows Lib/site.py of CPython 3.15, which reads .pth and .start files at the top of site-packages only."""
        for member in wheel.members:
            if _IMPORTED.fullmatch(wheel.installed(member)) and member.endswith((".py", ".pyc", ".so")):
                yield self.finding(member=member, found="a module that site imports", expected="another name")
        left = _LARGEST
        files = [(member, path) for member in wheel.members if _is_read(path := wheel.installed(member))]
        if len(files) > _MOST:
            yield self.finding(member=files[_MOST][0], found=f"{len(files)} files", expected=f"at most {_MOST}")
        for member, path in files[:_MOST]:
            text = wheel.text_of(member, left)
            left -= len(text or "")
            if text is None:
                yield self.finding(member=member, found="a file too large to read", expected="a few lines")
                continue
            for number, line in enumerate(text.splitlines(), start=1):
                if _runs(line, path):
                    yield self.finding(member=member, found=f"line {number}: {_shown(line)}", expected="folders only")


class FolderElsewhere(Rule):
    """A .pth file adds a folder outside of the environment to the path of every Python."""

    code = "W526"
    why = "On another machine the folder is missing: imports fail. Such a wheel was made for an editable installation."
    fix = (
        "upload the wheel of `python -m build`, never that of `pip install -e`; in the file, name folders of the wheel"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        files = [
            member for member in wheel.members if _is_read(path := wheel.installed(member)) and path.endswith(".pth")
        ]
        for member in files[:_MOST]:
            for number, line in enumerate((wheel.text_of(member, _SMALL) or "").splitlines(), start=1):
                if _ELSEWHERE.match(line):
                    yield self.finding(
                        member=member, found=f"line {number}: {_shown(line)}", expected="a folder of the wheel"
                    )


def _is_read(path: str) -> bool:
    """Whether the start of Python reads a file that is installed there."""
    return "/" not in path and not path.startswith(".") and path.endswith((".pth", ".start"))


def _runs(line: str, file: str) -> bool:
    if file.endswith(".pth"):
        return bool(_IMPORT.match(line))
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _shown(line: str) -> str:
    text = line.strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
