"""The step `check`: whether files are ready for release, in addition to the audit of the wheels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.auditing.rules import RELEASE_RULES
from crosswheel.auditing.rules.release import Described, Release
from crosswheel.auditing.run import switched_off
from crosswheel.formats.sdists import read_tar
from crosswheel.model.job import Finding

if TYPE_CHECKING:
    from tarfile import TarInfo

    from packaging.metadata import RawMetadata

# Warnings that are errors in a release: a wheel too large for the index, no sdist.
_GRAVER = {"W508", "W707"}
_GRAVER_IN_PUBLIC = _GRAVER | {"W117", "W810"}  # a local version, metadata that PyPI does not take yet
_PUBLIC = {"pypi", "testpypi"}


def check(release: Release, ignore: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """The findings of a release; `ignore` maps codes of switched-off rules to reasons."""
    return switched_off((finding for rule in RELEASE_RULES for finding in rule.check(release)), ignore or {})


def graver(findings: Iterable[Finding], repository: str) -> tuple[Finding, ...]:
    """The findings of an audit with their levels for a release to this repository."""
    rules = _GRAVER_IN_PUBLIC if repository in _PUBLIC else _GRAVER
    return tuple(replace(finding, level="error") if finding.rule in rules else finding for finding in findings)


def describe(path: Path) -> Described:
    """Twine's strict check of a wheel or sdist, and facts from its metadata."""
    from twine.commands import check as twine

    complaints = twine._WarningStream()  # noqa: SLF001 - what is public prints its reasons, and gives a bool
    try:
        missing, rendered = twine._check_file(str(path), complaints)  # noqa: SLF001
        members, text = _read(path)
        told = _metadata(text)
    except Exception as error:  # noqa: BLE001 - twine and what it reads with raise whatever a file was made to hit
        return Described(refused=str(error).replace(str(path), path.name) or type(error).__name__)
    said = tuple(str(complaints).splitlines()) or ("it does not render",)
    return Described(
        missing=tuple(text.rstrip(".") for text in missing),
        unrendered=() if rendered else said,
        name=told.get("name", ""),
        version=told.get("version", ""),
        metadata_version=told.get("metadata_version", ""),
        licences=tuple(told.get("license_files", ())),
        members=frozenset(member.name for member in members),
        sparse=tuple(member.name for member in members if member.issparse()),
    )


def _read(path: Path) -> tuple[list[TarInfo], bytes]:
    """The members of a .tar.gz, none of other files, and the text of the core metadata."""
    from twine.sdist import SDist
    from twine.wheel import Wheel

    if path.name.endswith(".tar.gz"):
        return read_tar(path)
    return [], (Wheel if path.suffix == ".whl" else SDist)(str(path)).read()


def _metadata(text: bytes) -> RawMetadata:
    """The metadata as twine sends it: without License-File for versions before PEP 639."""
    from packaging.metadata import parse_email
    from packaging.version import Version

    told, _ = parse_email(text)
    if Version(told.get("metadata_version", "0")) < Version("2.4"):
        told.pop("license_files", None)
    return told
