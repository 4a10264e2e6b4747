"""Where the files of a wheel lie in a conda package, and the scripts of its entry points."""

from __future__ import annotations

import configparser
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Template

from crosswheel.conda_packages.variants import Variant
from crosswheel.errors import CheckFailed
from crosswheel.formats.wheel_contents import Row
from crosswheel.formats.wheels import Wheel, entry_points
from crosswheel.formats.zips import ZipEntry

PREFIX = f"/{'prefix_placeholder_' * 14}"[:255]
"""The text that an installer replaces by the path of the environment, as long as conda-build's."""

# They are about the wheel; the package has others.
_OF_THE_WHEEL = ("RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json")
# Installers read these folders of a package, or move what is in them.
_RESERVED = ("info", "conda-meta", "site-packages", "python-scripts")
# Installers of conda packages run these.
_LINK_SCRIPT = re.compile(r"(?:bin|python-scripts)/\..*-(?:pre|post)-(?:un)?link\.(?:sh|bat)")
_INTERPRETER = re.compile(rb"#!pythonw?(?=\s)")
_REFERENCE = re.compile(r"([\w.]+):([\w.]+)(?:\s*\[.*\])?")
_SCRIPT_NAME = re.compile(r"[\w][\w. -]*")
_SCRIPT = Template(
    """\
#!$prefix/bin/python
import sys

from $module import $top

if __name__ == "__main__":
    sys.exit($attribute())
"""
)


@dataclass(frozen=True)
class Content:
    """A file of a package: a member of the wheel, or `data` that is made here or changed.

    `path` is in the package; `has_prefix` says that it contains PREFIX, which the installer replaces.
    """

    path: str
    entry: ZipEntry | None = None
    data: bytes = b""
    executable: bool = False
    has_prefix: bool = False

    @property
    def origin(self) -> str:
        return self.entry.name if self.entry else "an entry point"


def console_scripts(wheel: Wheel) -> tuple[str, ...]:
    """The scripts of entry points, in the words of link.json: ``f2py = numpy.f2py.f2py2e:main``.

    Raises CheckFailed for one that cannot become a script.
    """
    try:
        points = [
            (name, reference)
            for group, name, reference in entry_points(wheel)
            if group in {"console_scripts", "gui_scripts"}
        ]
    except configparser.Error as error:
        raise CheckFailed(f"its entry_points.txt is not valid: {str(error).splitlines()[0]}") from error
    for name, reference in points:
        if not _SCRIPT_NAME.fullmatch(name) or not _REFERENCE.fullmatch(reference):
            raise CheckFailed(f"its entry point {name} = {reference} cannot become a script")
    return tuple(f"{name} = {reference.partition('[')[0].strip()}" for name, reference in points)


def contents(wheel: Wheel, variant: Variant) -> tuple[Content, ...]:
    """The files of the package except those of info/, ordered by path.

    Raises CheckFailed if two of them would have one path, or if a path is not one of a wheel's or leaves the prefix.
    """
    scripts = [_script(line) for line in console_scripts(wheel)]
    found = [
        *_members(wheel, variant),
        Content(f"{_site_packages(variant)}/{wheel.dist_info}/INSTALLER", data=b"conda\n"),
    ]
    _refuse([*found, *scripts])
    if variant.python:
        found += scripts  # otherwise the installer makes them
    record = f"{_site_packages(variant)}/{wheel.dist_info}/RECORD"
    found.append(Content(record, data=_record(wheel, variant, found, record)))
    return tuple(sorted(found, key=lambda content: content.path))


def _members(wheel: Wheel, variant: Variant) -> Iterator[Content]:
    for member, entry in wheel.archive.files.items():
        top, _, rest = member.partition("/")
        if top == wheel.dist_info and rest in _OF_THE_WHEEL:
            continue
        path, is_script = _installed(member, wheel, variant)
        if is_script and (match := _INTERPRETER.match(data := wheel.archive.read(entry))):
            changed = f"#!{PREFIX}/bin/python".encode() + data[match.end() :]
            yield Content(path, entry, changed, executable=True, has_prefix=True)
        else:
            yield Content(path, entry, executable=is_script or bool(entry.mode & 0o111))


def _installed(member: str, wheel: Wheel, variant: Variant) -> tuple[str, bool]:
    """The path in the package, and whether it is a script (the schemes of PEP 427)."""
    site = _site_packages(variant)
    top, _, rest = member.partition("/")
    if not top.endswith(".data"):
        return f"{site}/{member}", False
    scheme, _, path = rest.partition("/")
    include = f"include/{variant.python.name}" if variant.python else "include"
    folders = {
        "purelib": f"{site}/",
        "platlib": f"{site}/",
        "scripts": f"{_bin(variant)}/",
        "headers": f"{include}/{wheel.name}/",
        "data": "",
    }
    if scheme not in folders or not path:
        raise CheckFailed(f"{member} is in no scheme of a wheel")
    if scheme == "data" and path.partition("/")[0] in _RESERVED:
        raise CheckFailed(f"{member} would be in a folder that conda has for itself")
    return folders[scheme] + path, scheme == "scripts"


def _script(line: str) -> Content:
    name, _, reference = line.partition(" = ")
    module, _, attribute = reference.partition(":")
    top = attribute.partition(".")[0]
    text = _SCRIPT.substitute(prefix=PREFIX, module=module, top=top, attribute=attribute)
    return Content(f"bin/{name}", data=text.encode(), executable=True, has_prefix=True)


def _site_packages(variant: Variant) -> str:
    return f"lib/{variant.python.name}/site-packages" if variant.python else "site-packages"


def _bin(variant: Variant) -> str:
    return "bin" if variant.python else "python-scripts"


def _refuse(found: Iterable[Content]) -> None:
    """Raise CheckFailed for paths that leave the prefix, that are taken twice, or that an installer would run."""
    taken: dict[str, list[str]] = defaultdict(list)
    for content in found:
        parts = content.path.split("/")
        if (
            content.path.startswith("/")
            or not {"", ".", ".."}.isdisjoint(parts)
            or re.search(r"[\\\0\n]", content.path)
        ):
            raise CheckFailed(f"{content.origin} would be outside the environment: {content.path}")
        if _LINK_SCRIPT.fullmatch(content.path):
            raise CheckFailed(f"{content.origin} would be run by conda when it installs the package")
        taken[_moved(content.path)].append(content.origin)
    for path, origins in taken.items():
        folders = [str(folder) for folder in PurePosixPath(path).parents]
        clash = [*origins, *(origin for folder in folders for origin in taken.get(folder, ()))]
        if len(clash) > 1:
            raise CheckFailed(f"{clash[0]} and {clash[1]} would both be {path}")


def _record(wheel: Wheel, variant: Variant, found: Iterable[Content], record: str) -> bytes:
    """RECORD with the paths after the installation; files with a prefix have no hash, for they change then."""
    rows = {row.path: row for row in wheel.record}
    lines = [f"{_quoted(_recorded(record, variant))},,"]
    for content in found:
        row = rows.get(content.entry.name if content.entry and not content.data else "", Row(""))
        lines.append(f"{_quoted(_recorded(content.path, variant))},{row.digest},{row.size}")
    return "".join(f"{line}\n" for line in sorted(lines)).encode("utf-8", "surrogateescape")


def _recorded(path: str, variant: Variant) -> str:
    """A path of the package relative to site-packages, once it is installed."""
    site = f"{_site_packages(variant)}/"
    if path.startswith(site):
        return path.removeprefix(site)
    return f"../../../{_moved(path)}"


def _moved(path: str) -> str:
    """The path after the installer has moved the scripts of a package for several CPythons."""
    return re.sub("^python-scripts/", "bin/", path)


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""')) if re.search('[",\r\n]', text) else text
