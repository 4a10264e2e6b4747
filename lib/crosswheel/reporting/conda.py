"""The packages of a channel as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.conda_packages.conversions import Conversion, LeftOut
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.run import shown
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import COMMAND, Line, count_text, names_text, size_text

if TYPE_CHECKING:
    from rich.console import Console


def conda_text(
    channel: Path, packages: Sequence[Conversion], left_out: Sequence[LeftOut], console: Console | None = None
) -> str:
    """One line per package and per wheel that became none, what to know about them, and the command that installs."""
    lines = [
        *(("green", f"✔ {one_line(_place(one))}  {size_text(one.size)}") for one in packages),
        *(_left_out_line(one) for one in left_out),
        *_remarks(packages),
        *_closing(channel, packages),
    ]
    return shown(console or plain_console(), styled(lines))


def conda_document(channel: Path, packages: Sequence[Conversion], left_out: Sequence[LeftOut]) -> Document:
    return {
        "schema": SCHEMA,
        "kind": "conda",
        "crosswheel": __version__,
        "channel": str(channel),
        "packages": [_package(one) for one in packages],
        "left_out": [{"wheel": str(one.wheel), "reason": one.reason, "exit_code": one.exit_code} for one in left_out],
        "totals": {"packages": len(packages), "left_out": len(left_out)},
    }


def _place(conversion: Conversion) -> str:
    return f"{conversion.package.variant.subdir}/{conversion.package.file_name}"


def _left_out_line(one: LeftOut) -> Line:
    mark, style = ("✘", "red") if one.exit_code else ("-", "yellow")
    return style, f"{mark} {one_line(one.wheel.name)}: {one_line(one.reason)}"


def _remarks(packages: Sequence[Conversion]) -> Iterator[Line]:
    """What the packages lack or bring, which their names do not say."""
    needed = [one.package.variant.requirements for one in packages]
    if names := sorted({name for one in needed for name in one.same_name}):
        yield "", f"required by the names that they have on PyPI: {one_line(names_text(names))}"
    if extras := sorted({extra for one in needed for extra in one.extras}):
        yield "yellow", f"required without their extras, which conda packages do not have: {', '.join(extras)}"
    for name in dict.fromkeys(one.package.name for one in packages if one.package.libraries):
        libraries = {library for one in packages if one.package.name == name for library in one.package.libraries}
        files = sorted(library.rpartition("/")[2] for library in libraries)
        text = f"{name} brings its own libraries, besides those of conda: {names_text(files)}"
        yield "yellow", one_line(text)


def _closing(channel: Path, packages: Sequence[Conversion]) -> Iterator[Line]:
    style = "bold green" if packages else "bold red"
    yield style, f"{count_text(len(packages), 'package')} in {one_line(str(channel))}"
    if packages:
        name = packages[0].package.name
        yield COMMAND, f"  conda create -n test -c {one_line(str(channel.resolve()))} -c conda-forge {name}"


def _package(one: Conversion) -> Document:
    package, requirements = one.package, one.package.variant.requirements
    return {
        "path": str(one.path),
        "size": one.size,
        "sha256": one.sha256,
        "wheel": str(package.wheel.path),
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "subdir": package.variant.subdir,
        "depends": list(package.variant.depends),
        "same_name": list(requirements.same_name),
        "extras": list(requirements.extras),
        "libraries": list(package.libraries),
    }
