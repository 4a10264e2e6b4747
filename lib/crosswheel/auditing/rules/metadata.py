"""1xx: the files of the dist-info folder, except the tags."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheel_names import split_name
from crosswheel.formats.wheels import Wheel, entry_points
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

if TYPE_CHECKING:
    from packaging.metadata import InvalidMetadata, Metadata

_MOST_VALUES = 10_000
_MOST_STATED = 3
_LONGEST_LABEL = 32
_LONGEST_SUMMARY = 512  # for PyPI (warehouse/forklift/metadata.py)
_ENTRY_POINT = re.compile(r"[\w.-]+")
_LIKE_SCRIPTS = re.compile(r"(console|gui)[-_. ]?scripts?", re.IGNORECASE)
_FUNCTION = re.compile(r"[\w.]+\s*:\s*[\w.]+\s*(?:\[.*\])?")
_SHOWN = 100  # characters shown of a line that is no field


class NameDiffers(Rule):
    """The name or version in the file name differs from METADATA."""

    code = "W102"
    why = "An index refuses the upload, and an installer that trusted the file name fails half way."
    fix = "build the wheel again: its file name or its metadata was changed after the build"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        names, versions = ([str(value) for value in wheel.metadata.get_all(key, [""])] for key in ("Name", "Version"))
        # With two names or versions, readers disagree about which one counts.
        if [*map(canonicalize_name, names), *map(_version, versions)] != [wheel.name, wheel.version]:
            yield self.finding(
                member=f"{wheel.dist_info}/METADATA",
                found=" ".join(
                    [*(name or "no name" for name in names), *(version or "no version" for version in versions)]
                ),
                expected=f"{wheel.name} {wheel.version}",
            )


class FolderDiffers(Rule):
    """The name of the .dist-info folder does not match the file name."""

    code = "W110"
    why = "The index expects exactly the name and version of the file name, and refuses the wheel."
    fix = "build the wheel again, and do not rename it by hand"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        name, version, *_ = split_name(wheel.path.name)
        if wheel.dist_info != f"{name}-{version}.dist-info":
            yield self.finding(member=wheel.dist_info, found=wheel.dist_info, expected=f"{name}-{version}.dist-info")


class NameUnescaped(Rule):
    """The name of the project is not normalised in the file name."""

    code = "W111"
    level = "warning"  # the index still has such wheels from earlier years, and they install normally
    why = "The index refuses such wheels: it requires lower case, and one underscore for each run of - _ and dots."
    fix = "build it with a recent version of the build backend"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        found, expected = split_name(wheel.path.name).project, wheel.name.replace("-", "_")
        if found != expected:
            yield self.finding(found=found, expected=expected)


class BadMetadata(Rule):
    """METADATA violates the core metadata specification."""

    code = "W112"
    why = "The index and twine refuse the upload."
    fix = "correct the field in pyproject.toml, or use a version of the build backend that knows it"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        member = f"{wheel.dist_info}/METADATA"
        try:
            wheel.archive.read(wheel.archive.files[member]).decode("utf-8")
        except UnicodeDecodeError as error:
            yield self.finding(member=member, found=f"{error.reason} at byte {error.start}", expected="UTF-8")
        if unread := _unread(wheel):
            yield self.finding(member=member, found=unread, expected="Field: value, line by line")
        if not wheel.metadata.keys():
            return
        for field, problem in _problems(wheel):
            yield self.finding(member=member, found=problem, expected=f"a valid {field}")


class RefusedMetadata(Rule):
    """The index refuses a value in METADATA: a classifier, an e-mail address, a URL, or the label of one."""

    code = "W119"
    why = "The upload fails, although the core metadata is valid; twine does not check these values."
    fix = "correct the field in pyproject.toml; for a new classifier, update trove-classifiers"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for field, problem in sorted({*_classifiers(wheel), *_addresses(wheel), *_urls(wheel)}):
            yield self.finding(member=f"{wheel.dist_info}/METADATA", found=problem, expected=f"a valid {field}")


class BadEntryPoints(Rule):
    """entry_points.txt is no INI file, or a script in it has no valid file name, or names no function."""

    code = "W113"
    why = "The index refuses the wheel, and installers fail or write the script to another folder."
    fix = 'under [project.scripts], use letters, digits, dots, - and _ in names, and name a function: "module:function"'

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        member = f"{wheel.dist_info}/entry_points.txt"
        try:
            found = list(entry_points(wheel))
        except configparser.Error as error:
            yield self.finding(member=member, found=str(error).splitlines()[0], expected="an INI file")
            return
        for group, name, reference in found:
            if group not in {"console_scripts", "gui_scripts"}:
                if meant := _LIKE_SCRIPTS.fullmatch(group):
                    expected = f"[{meant[1].lower()}_scripts]"
                    yield self.finding(member=member, found=f"{name} in [{group}]", expected=expected)
                continue
            if not _ENTRY_POINT.fullmatch(name):
                yield self.finding(member=member, found=name, expected="a name without folders or spaces")
            elif not _FUNCTION.fullmatch(reference):
                yield self.finding(member=member, found=f"{name} = {reference}", expected=f"{name} = module:function")


class BuildDiffers(Rule):
    """The build number in the file name differs from WHEEL."""

    code = "W114"
    level = "warning"
    why = "Tools that repack the wheel use the number in WHEEL: the one in the file name is lost."
    fix = "change build numbers with `python -m wheel tags --build`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        named = "".join(map(str, wheel.build))
        stated = str(wheel.wheel_file.get("Build", "")).strip()
        if stated.lstrip("0") != named.lstrip("0"):
            yield self.finding(member=f"{wheel.dist_info}/WHEEL", found=stated or "none", expected=named or "none")


class UnknownFormat(Rule):
    """WHEEL states no wheel format that installers know."""

    code = "W115"
    why = "Installers refuse a wheel with an unknown Wheel-Version, as the specification demands."
    fix = "build the wheel again; the current format is 1.0"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        stated = str(wheel.wheel_file.get("Wheel-Version", "")).strip()
        if not re.fullmatch(r"1\.\d+", stated):
            yield self.finding(member=f"{wheel.dist_info}/WHEEL", found=stated or "no Wheel-Version", expected="1.0")


class RootDiffers(Rule):
    """Root-Is-Purelib in WHEEL contradicts the platform tag."""

    code = "W116"
    level = "warning"
    why = "Systems such as Fedora separate pure and compiled packages: the wheel is installed in the wrong folder."
    fix = "declare extensions in the build backend's configuration: it writes tag and WHEEL accordingly"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        stated = str(wheel.wheel_file.get("Root-Is-Purelib", "")).strip().lower()
        expected = "true" if wheel.is_pure else "false"
        if stated != expected:
            yield self.finding(member=f"{wheel.dist_info}/WHEEL", found=stated or "not stated", expected=expected)


class LocalVersion(Rule):
    """The version has a local part (1.0+local)."""

    code = "W117"
    level = "note"
    why = "The public index refuses local versions; a private index may accept them."
    fix = "for the public index, remove the + and the part after it"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if wheel.version.local:
            yield self.finding(found=str(wheel.version), expected=wheel.version.public)


class Placeholder(Rule):
    """The name or version is what a build backend writes when it finds none: UNKNOWN, 0.0.0."""

    code = "W125"
    level = "warning"
    why = "The build backend did not read the project's metadata, or found no tag of version control."
    fix = (
        "build with a recent version of the backend, in a checkout with its tags (git fetch --tags), or from the sdist"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if wheel.name == "unknown" or (wheel.version.release == (0, 0, 0) and not wheel.version.pre):
            yield self.finding(found=f"{wheel.name} {wheel.version}", expected="the project's name and version")


# The checks below are PyPI's (warehouse/forklift/metadata.py), with the same libraries.


def _values(wheel: Wheel, field: str) -> Iterator[str]:
    """The distinct values, at most as many as a normal project has: a hundred thousand would take minutes."""
    return islice(dict.fromkeys(map(str, wheel.metadata.get_all(field, []))), _MOST_VALUES)


def _classifiers(wheel: Wheel) -> Iterator[tuple[str, str]]:
    from importlib.metadata import version

    from trove_classifiers import classifiers, deprecated_classifiers

    release = version("trove-classifiers")
    for classifier in _values(wheel, "Classifier"):
        if classifier in deprecated_classifiers:
            instead = " or ".join(deprecated_classifiers[classifier])
            yield "classifier", f"{classifier} is deprecated" + (f", in favour of {instead}" if instead else "")
        # "Private ::" classifiers exist to be refused: they prevent a publication by mistake.
        elif classifier not in classifiers and not classifier.startswith("Private ::"):
            yield "classifier", f"{classifier} is not in the list of trove-classifiers {release}"


# What setuptools before 60 writes in place of nothing; the index drops such fields of an upload.
_UNKNOWN = "UNKNOWN"


def _addresses(wheel: Wheel) -> Iterator[tuple[str, str]]:
    from email.utils import getaddresses

    from email_validator import EmailNotValidError, validate_email

    for field in ("Author-email", "Maintainer-email"):
        for value in _values(wheel, field):
            addresses = [address for _, address in getaddresses([value]) if address]
            # The index does not check several addresses, nor an address that it cannot separate from the name.
            if len(addresses) == 1 and addresses[0] != _UNKNOWN:
                try:
                    validate_email(addresses[0], check_deliverability=False)
                except EmailNotValidError as error:
                    yield field.lower(), f"{addresses[0]} is not an e-mail address: {error}"


def _urls(wheel: Wheel) -> Iterator[tuple[str, str]]:
    for field in ("Home-page", "Download-URL"):
        for url in _values(wheel, field):
            if url.strip() != _UNKNOWN and not _is_url(url.strip()):
                yield field.lower(), f"'{url}' is not an http or https URL"
    for line in _values(wheel, "Project-URL"):
        label, comma, url = (part.strip() for part in line.partition(","))
        if not label or not comma:
            yield "project-url", f"'{line}' has no label: the form is LABEL, URL"
        elif len(label) > _LONGEST_LABEL:
            yield "project-url", f"a label of {len(label)} characters, the limit is {_LONGEST_LABEL}: {label}"
        elif not _is_url(url):
            yield "project-url", f"{url or 'nothing'} under {label} is not an http or https URL"


def _is_url(text: str) -> bool:
    from rfc3986 import exceptions, uri_reference, validators

    parts = ("scheme", "host", "port", "path", "query")
    validator = validators.Validator().allow_schemes("http", "https").require_presence_of("scheme")
    try:
        validator.check_validity_of(*parts).validate(uri_reference(text).normalize())
    except (exceptions.RFC3986Exception, ValueError):
        return False
    return True


def _is_requirement(text: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return not Requirement(text).url
    except (InvalidRequirement, RecursionError):
        return False


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _problems(wheel: Wheel) -> list[tuple[str, str]]:
    """The problems that twine and the index find in METADATA, as field and problem."""
    from packaging.metadata import ExceptionGroup, InvalidMetadata, Metadata, parse_email

    # With a Content-Type of e-mails, packaging 25 would read the rest as attachments, and fail.
    headers = ((field, value) for field, value in wheel.metadata.items() if field.lower() != "content-type")
    raw, unparsed = parse_email("".join(f"{field}: {value}\n" for field, value in headers))
    if (_version(raw.get("metadata_version", "")) or _NO_VERSION) < _FIRST_WITH_LICENSE_FILES:
        # Old versions of setuptools write the field years before its standardisation; twine ignores it.
        raw.pop("license_files", None)
        unparsed.pop("license-file", None)
    problems = [(field, _unparsed(field, values)) for field, values in unparsed.items()]
    try:
        metadata = Metadata.from_raw(raw)
    except RecursionError:  # raised by the parser of markers for deeply nested parentheses
        problems.append(("requires-dist", _TOO_DEEP))
    except ExceptionGroup as group:
        problems += [(error.field, _told(error)) for error in group.exceptions if isinstance(error, InvalidMetadata)]
    else:
        problems += _refused(metadata)
    # Another rule checks name and version.
    return sorted((field, problem) for field, problem in problems if field not in {"name", "version"})


def _unparsed(field: str, values: list[str]) -> str:
    # Of Project-URL, several lines are usual; a label that is there twice is the mistake.
    if len(values) > 1 and field != "project-url":
        return f"{field} is stated {len(values)} times: {', '.join(values[:_MOST_STATED])}"
    return f"{field}: {values[0]}"


def _unread(wheel: Wheel) -> str:
    """Why a part of the fields is not read: readers take what follows for the description, without a word."""
    from email.errors import MissingHeaderBodySeparatorDefect

    body = str(wheel.metadata.get_payload())
    line = body.partition("\n")[0][:_SHOWN]
    if any(isinstance(defect, MissingHeaderBodySeparatorDefect) for defect in wheel.metadata.defects):
        return "it begins with a byte order mark" if line.startswith("\ufeff") else f"a line that is no field: {line}"
    return "" if wheel.metadata.keys() else "it has no field, or begins with an empty line"


def _told(error: InvalidMetadata) -> str:
    # packaging 26.3 and later counts the parentheses, and repeats all of them in its message.
    return _TOO_DEEP if "nested more than" in str(error.__cause__) else str(error)


_TOO_DEEP = "a marker that is nested too deeply"
_NO_VERSION, _FIRST_WITH_LICENSE_FILES = Version("0"), Version("2.4")


def _refused(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """Valid values that PyPI refuses."""
    for requirement in metadata.requires_dist or ():
        if requirement.url:
            yield "requires-dist", f"{requirement} is a direct reference"
    for field, lines in (("provides-dist", metadata.provides_dist), ("obsoletes-dist", metadata.obsoletes_dist)):
        yield from ((field, f"'{line}' is no requirement") for line in lines or () if not _is_requirement(line))
    if len(metadata.summary or "") > _LONGEST_SUMMARY:
        yield "summary", f"{len(metadata.summary or '')} characters, the limit is {_LONGEST_SUMMARY}"
    if metadata.license and metadata.license_expression:
        yield "license", "License together with License-Expression"
