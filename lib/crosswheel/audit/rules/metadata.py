"""1xx: what the files of the dist-info folder say, beside the tags."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from email.utils import getaddresses
from importlib.metadata import version
from itertools import islice

from packaging.metadata import ExceptionGroup, InvalidMetadata, Metadata, parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crosswheel.audit.rules.rule import Rule
from crosswheel.formats.wheels import Wheel, entry_points
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

_MOST_VALUES = 10_000
_LONGEST_LABEL = 32
_LONGEST_SUMMARY = 512  # for PyPI (warehouse/forklift/metadata.py)
_ENTRY_POINT = re.compile(r"[\w.-]+")


class NameDiffers(Rule):
    """The name or version in the file name is not the one in METADATA."""

    code = "W102"
    why = "An index refuses the upload, and an installer that trusted the file name stops half way."
    fix = "build the wheel again: its file name or its metadata was changed after the build"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        names, versions = ([str(value) for value in wheel.metadata.get_all(key, [""])] for key in ("Name", "Version"))
        found = [*names, *versions]  # of two, nobody knows which one a reader takes
        if [*map(canonicalize_name, names), *map(_version, versions)] != [wheel.name, wheel.version]:
            yield self.finding(
                member=f"{wheel.dist_info}/METADATA",
                found=" ".join(found),
                expected=f"{wheel.name} {wheel.version}",
            )


class FolderDiffers(Rule):
    """The .dist-info folder is not called as the file is."""

    code = "W110"
    why = (
        "The index looks for the folder by the name and version in the file name, letter by letter, and refuses others."
    )
    fix = "build the wheel again, and do not rename it by hand"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        name, version = wheel.path.name.split("-")[:2]
        if wheel.dist_info != f"{name}-{version}.dist-info":
            yield self.finding(member=wheel.dist_info, found=wheel.dist_info, expected=f"{name}-{version}.dist-info")


class NameUnescaped(Rule):
    """The name of the project is not normalised in the file name."""

    code = "W111"
    level = "warning"  # such wheels of earlier years are on the index, and install as well as any
    why = "The index no longer takes such wheels: it wants lower case, and one underscore for each run of - _ and dots."
    fix = "build it with a recent version of the build backend"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        found, expected = wheel.path.name.split("-")[0], wheel.name.replace("-", "_")
        if found != expected:
            yield self.finding(found=found, expected=expected)


class BadMetadata(Rule):
    """METADATA breaks the rules for core metadata."""

    code = "W112"
    why = "The index refuses the upload, and twine refuses to try."
    fix = "correct the field in pyproject.toml, or build with a version of the backend that knows it"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        member = f"{wheel.dist_info}/METADATA"
        try:
            wheel.archive.read(wheel.archive.files[member]).decode("utf-8")
        except UnicodeDecodeError as error:
            yield self.finding(member=member, found=f"{error.reason} at byte {error.start}", expected="UTF-8")
        for field, problem in _problems(wheel):
            yield self.finding(member=member, found=problem, expected=f"a valid {field}")


class RefusedMetadata(Rule):
    """The index refuses a value in METADATA: a classifier, an e-mail address, a URL, or the label of one."""

    code = "W119"
    why = "The upload fails, although the core metadata are valid; twine does not look at these."
    fix = "correct the field in pyproject.toml; for a new classifier, update trove-classifiers"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for field, problem in sorted({*_classifiers(wheel), *_addresses(wheel), *_urls(wheel)}):
            yield self.finding(member=f"{wheel.dist_info}/METADATA", found=problem, expected=f"a {field} it takes")


class BadEntryPoints(Rule):
    """entry_points.txt is no INI file, or names a script as no file can be called."""

    code = "W113"
    why = "The index refuses the wheel, and installers fail on it or write the script to another folder."
    fix = "write [project.scripts] with names of letters, digits, dots, - and _ only"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        member = f"{wheel.dist_info}/entry_points.txt"
        try:
            found = list(entry_points(wheel))
        except configparser.Error as error:
            yield self.finding(member=member, found=str(error).splitlines()[0], expected="an INI file")
            return
        for group, name, _ in found:
            if group in {"console_scripts", "gui_scripts"} and not _ENTRY_POINT.fullmatch(name):
                yield self.finding(member=member, found=name, expected="a name without folders or blanks")


class BuildDiffers(Rule):
    """The build number in the file name is not the one in WHEEL."""

    code = "W114"
    level = "warning"
    why = "Tools that repack the wheel go by WHEEL, so that the number gets lost or comes back."
    fix = "change build numbers with `python -m wheel tags --build`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        named = "".join(map(str, wheel.build))
        stated = str(wheel.wheel_file.get("Build", "")).strip()
        if stated.lstrip("0") != named.lstrip("0"):
            yield self.finding(member=f"{wheel.dist_info}/WHEEL", found=stated or "none", expected=named or "none")


class UnknownFormat(Rule):
    """WHEEL does not say that the wheel is of a format that installers know."""

    code = "W115"
    why = "Installers have to refuse a wheel whose Wheel-Version they do not know, and do."
    fix = "build the wheel again; the format is 1.0"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        stated = str(wheel.wheel_file.get("Wheel-Version", "")).strip()
        if not re.fullmatch(r"1\.\d+", stated):
            yield self.finding(member=f"{wheel.dist_info}/WHEEL", found=stated or "no Wheel-Version", expected="1.0")


class RootDiffers(Rule):
    """Root-Is-Purelib in WHEEL does not fit the platform tag."""

    code = "W116"
    level = "warning"
    why = "Where pure and compiled packages have folders of their own, as on Fedora, the wheel goes to the wrong one."
    fix = "tell the build backend whether there are extensions: it writes tag and WHEEL from that"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        stated = str(wheel.wheel_file.get("Root-Is-Purelib", "")).strip().lower()
        expected = "true" if wheel.is_pure else "false"
        if stated != expected:
            yield self.finding(member=f"{wheel.dist_info}/WHEEL", found=stated or "not stated", expected=expected)


class LocalVersion(Rule):
    """The version has a local part."""

    code = "W117"
    level = "note"
    why = "The public index does not take local versions; an index of your own may."
    fix = "for the public index, leave out what stands after the +"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if wheel.version.local:
            yield self.finding(found=str(wheel.version), expected=wheel.version.public)


# What follows is as PyPI judges it (warehouse/forklift/metadata.py), by the same libraries.


def _values(wheel: Wheel, field: str) -> Iterator[str]:
    """Each once, and as many as an honest project may have: a hundred thousand would take minutes."""
    return islice(dict.fromkeys(map(str, wheel.metadata.get_all(field, []))), _MOST_VALUES)


def _classifiers(wheel: Wheel) -> Iterator[tuple[str, str]]:
    from trove_classifiers import classifiers, deprecated_classifiers

    release = version("trove-classifiers")
    for classifier in _values(wheel, "Classifier"):
        if classifier in deprecated_classifiers:
            instead = " or ".join(deprecated_classifiers[classifier])
            yield "classifier", f"{classifier} is deprecated" + (f", in favour of {instead}" if instead else "")
        # A private classifier is there to be refused: nobody can publish the wheel by mistake.
        elif classifier not in classifiers and not classifier.startswith("Private ::"):
            yield "classifier", f"{classifier} is none that trove-classifiers {release} lists"


def _addresses(wheel: Wheel) -> Iterator[tuple[str, str]]:
    from email_validator import EmailNotValidError, validate_email

    for field in ("Author-email", "Maintainer-email"):
        for value in _values(wheel, field):
            addresses = [address for _, address in getaddresses([value]) if address]
            # Of several, and of what cannot be told apart, the index judges none.
            if len(addresses) == 1:
                try:
                    validate_email(addresses[0], check_deliverability=False)
                except EmailNotValidError as error:
                    yield field.lower(), f"{addresses[0]} is no e-mail address: {error}"


def _urls(wheel: Wheel) -> Iterator[tuple[str, str]]:
    for field in ("Home-page", "Download-URL"):
        for url in _values(wheel, field):
            if not _is_url(url.strip()):
                yield field.lower(), f"{url} is no http or https URL"
    for line in _values(wheel, "Project-URL"):
        label, _, url = (part.strip() for part in line.partition(","))
        if not label:
            yield "project-url", f"{line} has no label"
        elif len(label) > _LONGEST_LABEL:
            yield "project-url", f"a label of {len(label)} characters, and {_LONGEST_LABEL} are the limit: {label}"
        elif not _is_url(url):
            yield "project-url", f"{url or 'nothing'} under {label} is no http or https URL"


def _is_url(text: str) -> bool:
    from rfc3986 import exceptions, uri_reference, validators

    parts = ("scheme", "host", "port", "path", "query")
    validator = validators.Validator().allow_schemes("http", "https").require_presence_of("scheme")
    try:
        validator.check_validity_of(*parts).validate(uri_reference(text).normalize())
    except (exceptions.RFC3986Exception, ValueError):
        return False
    return True


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _problems(wheel: Wheel) -> list[tuple[str, str]]:
    """What twine and the index would find in METADATA, as field and problem."""
    # With a Content-Type of e-mails, packaging 25 would take what follows for attachments, and stumble.
    headers = ((field, value) for field, value in wheel.metadata.items() if field.lower() != "content-type")
    raw, unparsed = parse_email("".join(f"{field}: {value}\n" for field, value in headers))
    if (_version(raw.get("metadata_version", "")) or _NO_VERSION) < _FIRST_WITH_LICENSE_FILES:
        # Old versions of setuptools write the field years ahead of its standard; twine leaves it out.
        raw.pop("license_files", None)
        unparsed.pop("license-file", None)
    problems = [(field, f"{field}: {values[0]}") for field, values in unparsed.items()]
    try:
        metadata = Metadata.from_raw(raw)
    except RecursionError:  # of the parser of markers, by parentheses within parentheses
        problems.append(("requires-dist", _TOO_DEEP))
    except ExceptionGroup as group:
        problems += [(error.field, _told(error)) for error in group.exceptions if isinstance(error, InvalidMetadata)]
    else:
        problems += _refused(metadata)
    # Whether there are a name and a version, and which, another rule says.
    return sorted((field, problem) for field, problem in problems if field not in {"name", "version"})


def _told(error: InvalidMetadata) -> str:
    # From 26.3 on, packaging counts the parentheses, and then repeats them all.
    return _TOO_DEEP if "nested more than" in str(error.__cause__) else str(error)


_TOO_DEEP = "a marker that is nested too deeply"
_NO_VERSION, _FIRST_WITH_LICENSE_FILES = Version("0"), Version("2.4")


def _refused(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """What is valid, and yet refused by PyPI."""
    for requirement in metadata.requires_dist or ():
        if requirement.url:
            yield "requires-dist", f"{requirement} is a direct reference"
    if len(metadata.summary or "") > _LONGEST_SUMMARY:
        yield "summary", f"{len(metadata.summary or '')} characters, and {_LONGEST_SUMMARY} are the limit"
    if metadata.license and metadata.license_expression:
        yield "license", "License beside License-Expression"
