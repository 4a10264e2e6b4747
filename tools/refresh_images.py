"""Writes lib/crosswheel/data/images.toml from the pins of the newest cibuildwheel, and cibuildwheel.toml, its version.

The wheel comes from the caller's package index and is checked by its hash; of it, one file is read.
"""

from __future__ import annotations

import configparser
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from packaging.version import Version

from crosswheel.errors import CrosswheelError, UsageError
from crosswheel.images.pins import ImagePin, pinned_images
from crosswheel.images.references import parse_reference
from crosswheel.model.targets import Architecture, Policy, architectures, parse_policy
from crosswheel.system.locks import user_cache
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes

Pins = Mapping[tuple[Policy, Architecture], ImagePin]

_DATA = Path(__file__).parents[1] / "lib" / "crosswheel" / "data"
LOCK = _DATA / "images.toml"
READER = _DATA / "cibuildwheel.toml"

_PROJECT = "cibuildwheel"
_MEMBER = "cibuildwheel/resources/pinned_docker_images.cfg"

_READER_HEAD = """\
# The release of cibuildwheel that reads a project's configuration for it, if the project pins none. Written by
# `nox -s refresh-images`.
"""
_HEAD = """\
# The images that containers are made of, by the platform that they build for. Written by `nox -s refresh-images`.
#
# repository, tag  where it is
# digest           sha256 of its manifest: what is pulled, whatever the tag means by then

# As pinned by {release}.
"""
_DOCKCROSS_HEAD = """
# Written by hand, and kept. Tags only: the registry could not be asked for digests, and `latest` is what the project's
# Makefile calls every image for certain. Each run's report has what it meant; [tool.crosswheel.images] can pin it.
"""


def newest_wheel(index: Index) -> tuple[str, Path]:
    """The newest final release of cibuildwheel, and its wheel."""
    wheels = [
        (Version(package.version), package)
        for package in index.files_of(_PROJECT)
        if package.package_type == "wheel" and package.version and not package.is_yanked
    ]
    finals = [(version, package) for version, package in wheels if not version.is_prerelease]
    if not finals:
        raise CrosswheelError(f"the index has no wheel of {_PROJECT}", hint="pip config list: which index is it?")
    version, package = max(finals, key=lambda each: each[0])
    return f"{_PROJECT} {version}", index.fetch(package)


def pins_of(wheel: Path) -> Pins:
    """What the wheel pins for CPython; raises CrosswheelError for a list of another shape than we know."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return parse_pins(archive.read(_MEMBER).decode())
    except KeyError as error:
        raise CrosswheelError(f"{wheel.name} has no {_MEMBER} any more", hint="see where its pins are now") from error


def parse_pins(text: str) -> Pins:
    """``[aarch64]``, and below it ``POLICY = REPOSITORY@sha256:DIGEST  # TAG``, or the tag before the digest.

    Sections of other names (pypy_aarch64) repeat these. Raises CrosswheelError with the line that is not so.
    """
    table = configparser.ConfigParser(interpolation=None)
    try:
        table.read_string(text)
    except configparser.Error as error:
        raise CrosswheelError(f"the pins cannot be read: {error}") from error
    return {
        (parse_policy(name), arch): _pin(f"[{arch}] {name}", value)
        for arch in architectures().values()
        if table.has_section(arch.name)
        for name, value in table[arch.name].items()
    }


def _pin(where: str, value: str) -> ImagePin:
    written, _, comment = value.partition("#")
    try:
        reference = parse_reference(written.strip())
    except UsageError as error:
        raise CrosswheelError(f"{where}: {error.message}") from error
    if not reference.digest:
        raise CrosswheelError(f"{where}: {written.strip()} has no digest, and a tag alone is no pin")
    return ImagePin(reference.repository, reference.tag or comment.strip(), reference.digest)


def lock_text(release: str, pypa: Pins, dockcross: Pins) -> str:
    """The file, the same for the same pins."""
    return _HEAD.format(release=release) + _tables("pypa", pypa) + _DOCKCROSS_HEAD + _tables("dockcross", dockcross)


def reader_text(release: str) -> str:
    """The file that names the release which reads a project's configuration, if the project names none."""
    return f'{_READER_HEAD}version = "{release.removeprefix(f"{_PROJECT} ")}"\n'


def _tables(family: str, pins: Pins) -> str:
    order = list(architectures().values())
    rows = sorted(pins.items(), key=lambda row: (order.index(row[0][1]), row[0][0]))
    return "\n".join(_table(f"{family}.{policy}_{arch}", pin) for (policy, arch), pin in rows)


def _table(name: str, pin: ImagePin) -> str:
    lines = [f"[{name}]", f'repository = "{pin.repository}"', f'tag = "{pin.tag}"']
    if pin.digest:
        lines.append(f'digest = "{pin.digest}"')
    return "\n".join([*lines, ""])


def main() -> None:
    environ = dict(os.environ)
    release, wheel = newest_wheel(Index(read_pip_settings(Processes(), environ), user_cache(environ)))
    LOCK.write_text(lock_text(release, pins_of(wheel), pinned_images("dockcross")), "utf-8")
    READER.write_text(reader_text(release), "utf-8")


if __name__ == "__main__":
    main()
