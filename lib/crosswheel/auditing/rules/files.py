"""5xx: files that a wheel should contain, and files that it should not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crosswheel.auditing.rules.machine import DEVICES
from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import SCHEMES, Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

_FOLDERS = {
    *("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints"),
    *(".git", ".hg", ".svn", ".github", ".idea", ".vscode", ".tox", ".nox", ".venv"),
    *("CMakeFiles", ".ninja_deps", ".ninja_log", "CMakeCache.txt", "meson-private"),
    *(".DS_Store", "Thumbs.db", "__MACOSX", ".coverage"),
}
_BY_INSTALLERS = {"INSTALLER", "REQUESTED", "direct_url.json"}
_SUFFIXES = (".gcda", ".gcno", ".la", ".orig", ".rej", ".swp", "~")
_LOGS = {"pip-log.txt", "npm-debug.log", "yarn-error.log", "config.log", "CMakeError.log", "CMakeOutput.log"}
_OF_AN_ENVIRONMENT = "pyvenv.cfg"
_OBJECTS = (".o", ".obj")
# Inputs of a linker: startup objects of programs (crt1.o, gcrt1.o, crtbeginS.o), and libraries as one object file.
_GIVEN_TO_LINKERS = re.compile(r"[A-Za-z]?crt\w*\.o|lib.+\.o")
_TOP_FOLDERS = {
    *("test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks"),
    *("build", "dist", "src", "scripts", "tools"),
}
_MOST_HIDDEN = 100
_ENVIRONMENT = SCHEMES["data"]
_OF_THE_SYSTEM = {"home", "root", "tmp", "usr", "var", "opt", "Users"}  # tops of absolute paths
_TOP_FILES = re.compile(
    r"(setup|conftest|noxfile|tasks|fabfile)\.py|(pyproject|tox|setup|requirements)\.(toml|ini|cfg|txt)"
    r"|(readme|licen[cs]e|copying|notice|authors|changelog|changes)(\.\w+)?|makefile|cmakelists\.txt|manifest\.in",
    re.IGNORECASE,
)


class Leftover(Rule):
    """The wheel contains leftovers of a build, an installation, a cache, an editor or version control."""

    code = "W507"
    level = "warning"
    why = "They are useless to users, and bytecode or object files of another machine may be used by mistake."
    fix = "build from an unpacked sdist, and leave such files out in the build backend's configuration"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        found = {leftover for member in wheel.members if (leftover := _leftover(member))}
        found |= {member for member in wheel.members if member.endswith(_OBJECTS) and not _is_shipped(member, wheel)}
        found |= {leftover for member in wheel.members if (leftover := _of_installation(wheel, member))}
        found -= {member for member in found if any(member.startswith(f"{folder}/") for folder in found)}
        for member in sorted(found):
            yield self.finding(member=member, found="a leftover", expected="only files for run time")


class MissingLicence(Rule):
    """A licence file that METADATA names is missing."""

    code = "W509"
    why = "The package index refuses the wheel (PEP 639), and redistributors lack the licence text."
    fix = "name the file in license-files of pyproject.toml, and use a build backend that knows Metadata-Version 2.4"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not _says_where(str(wheel.metadata.get("Metadata-Version", ""))):
            return
        for file in wheel.metadata.get_all("License-File", []):
            member = f"{wheel.dist_info}/licenses/{file}"
            if member not in wheel.archive.files:
                yield self.finding(member=member, found="not in the archive", expected="every License-File of METADATA")


class TopLevelClutter(Rule):
    """The wheel installs tests, documents or scripts at the top level of site-packages or of the environment."""

    code = "W513"
    level = "warning"
    why = "Other wheels do the same: the last one installed overwrites the others, and `import tests` finds them."
    fix = "list the packages in the build backend's configuration, or move such files into the package"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for top in sorted({_top(wheel.installed(member)) for member in wheel.members} - {""}):
            if canonicalize_name(top.rstrip("/").rpartition("/")[2]) != wheel.name:
                yield self.finding(member=top, found="installed beside the packages", expected="inside a package")


class HiddenModule(Rule):
    """A module is beside a package of the same name, which Python imports instead."""

    code = "W527"
    level = "warning"
    why = "The module's code is never run: it is left over from before it became a package, or the package is."
    fix = "delete one of the two; build from an unpacked sdist, so that no old file is packed"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        extensions = {extension.member: extension.suffix for extension in wheel.extensions}
        there = {wheel.installed(member) for member in wheel.members}
        found = 0
        for member in wheel.members:
            suffix = ".py" if member.endswith(".py") else extensions.get(member, "")
            package = f"{wheel.installed(member).removesuffix(suffix)}/__init__.py"
            if suffix and found < _MOST_HIDDEN and package in there:
                found += 1
                yield self.finding(member=member, found=f"{member} beside {package}", expected="one of them")


class Credentials(Rule):
    """The wheel contains a password, a token or a private key."""

    code = "W524"
    why = "Everybody who downloads the wheel can use it; programs search each new file of the index for them."
    fix = "revoke it now if a file with it was ever published; then leave the file out, and build again"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, found in wheel.credentials.items():
            yield self.finding(member=member, found=found, expected="no credentials")


def _leftover(member: str) -> str:
    """The outermost leftover folder of a member's path, or the file itself; empty if it is no leftover."""
    parts = member.split("/")
    for number, part in enumerate(parts, start=1):
        if part in _FOLDERS:
            return "/".join(parts[:number])
    if parts[-1] == _OF_AN_ENVIRONMENT:
        return member.rpartition("/")[0] or member
    return member if member.endswith(_SUFFIXES) or parts[-1] in _LOGS or parts[-1].startswith("._") else ""


def _of_installation(wheel: Wheel, member: str) -> str:
    """What only an installation has: another record of the project for pip, or what installers write themselves."""
    top, _, rest = member.partition("/")
    if top == wheel.dist_info:
        return member if rest in _BY_INSTALLERS else ""
    path = wheel.installed(member).partition("/")[0]
    return member.removesuffix(f"/{rest}") if path == top and top.endswith((".egg-info", ".egg-link")) else ""


def _is_shipped(member: str, wheel: Wheel) -> bool:
    """Whether an object file is shipped on purpose: as a linker input, or as code for a graphics card or the kernel."""
    folder, _, file = member.rpartition("/")
    elf = wheel.elves.get(member)
    is_for_device = isinstance(elf, Elf) and elf.machine in DEVICES
    beside_archive = any(other.endswith(".a") and other.rpartition("/")[0] == folder for other in wheel.members)
    return is_for_device or beside_archive or bool(_GIVEN_TO_LINKERS.fullmatch(file))


def _says_where(metadata_version: str) -> bool:
    """Whether Metadata-Version is 2.4 or later: before, neither the field nor the file's location was standardised."""
    try:
        return Version(metadata_version) >= Version("2.4")
    except InvalidVersion:
        return False


def _top(path: str) -> str:
    """The outermost part of a path that clutters site-packages or, by a data folder, the environment; else empty."""
    base = _ENVIRONMENT if path.startswith(_ENVIRONMENT) else ""
    top, slash, _ = path.removeprefix(base).partition("/")
    if slash:
        return f"{base}{top}/" if top in (_TOP_FOLDERS | _OF_THE_SYSTEM if base else _TOP_FOLDERS) else ""
    return f"{base}{top}" if _TOP_FILES.fullmatch(top) else ""
