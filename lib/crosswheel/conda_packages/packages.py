"""A conda package that is made of a wheel: its name, and the files of its folder info/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timezone
from functools import cached_property
from typing import Any

from crosswheel import __version__
from crosswheel.conda_packages.contents import PREFIX, Content, console_scripts, contents
from crosswheel.conda_packages.names import conda_name
from crosswheel.conda_packages.variants import Variant, variants
from crosswheel.formats.wheels import Wheel

# Fields of about.json, and the labels of Project-URL that mean the same (PEP 753).
_LABELS = {
    "home": ("homepage",),
    "dev_url": ("source", "repository", "sourcecode", "github"),
    "doc_url": ("documentation", "docs"),
}
_LONGEST_LICENSE = 100  # characters; longer ones are the text of a licence


@dataclass(frozen=True)
class Written:
    """A file of the package as it was written; the digest is its sha256 in hexadecimal."""

    content: Content
    size: int
    sha256: str


@dataclass(frozen=True)
class CondaPackage:
    """One package of a wheel."""

    wheel: Wheel
    variant: Variant
    is_fallback: bool = False
    """Whether solvers take it only where the project has no other package: it is pure, others are compiled."""

    @cached_property
    def name(self) -> str:
        return conda_name(self.wheel.name)

    @property
    def version(self) -> str:
        return str(self.wheel.version)

    @property
    def build_number(self) -> int:
        """That of the wheel's file name, otherwise 0."""
        return self.wheel.build[0] if self.wheel.build else 0

    @property
    def build(self) -> str:
        """``py312h1a2b3c4_0``: CPython, the beginning of the wheel's sha256, and the build number."""
        return f"{self.variant.label}h{self.wheel.sha256[:7]}_{self.build_number}"

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def file_name(self) -> str:
        return f"{self.stem}.conda"

    @cached_property
    def contents(self) -> tuple[Content, ...]:
        """Every file except those of info/."""
        return contents(self.wheel, self.variant)

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries that the wheel brings along in NAME.libs/, where conda has packages for them."""
        return tuple(sorted(member for member in self.wheel.members if member.partition("/")[0].endswith(".libs")))

    @property
    def newest(self) -> int:
        """The time of the newest member of the wheel, in seconds since 1970."""
        times = [entry.time for entry in self.wheel.archive.files.values()]
        return max((int(time.replace(tzinfo=timezone.utc).timestamp()) for time in times if time), default=0)


def with_fallbacks(packages: Sequence[CondaPackage]) -> tuple[CondaPackage, ...]:
    """The packages, with those marked as fallbacks that are pure beside compiled ones of the same name."""
    compiled = {package.name for package in packages if not package.wheel.is_pure}
    return tuple(
        replace(package, is_fallback=True) if package.wheel.is_pure and package.name in compiled else package
        for package in packages
    )


def packages_of(wheel: Wheel) -> tuple[CondaPackage, ...]:
    """The packages that a wheel becomes. Raises CheckFailed, with the reason, for a wheel that becomes none."""
    found = tuple(CondaPackage(wheel, variant) for variant in variants(wheel))
    for package in found:
        _ = package.contents
    return found


def description(package: CondaPackage, epoch: int) -> Mapping[str, bytes]:
    """The files of info/ that say what the package is made of: the wheel, its pins, the release of crosswheel."""
    return {"info/about.json": _json(_about(package.wheel)), "info/index.json": _json(_index(package, epoch))}


def info_files(package: CondaPackage, written: Sequence[Written], epoch: int) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file of info/; `epoch` is the time of the package, in seconds since 1970."""
    yield from description(package, epoch).items()
    yield "info/files", "".join(f"{one.content.path}\n" for one in written).encode("utf-8", "surrogateescape")
    if package.variant.python is None:
        yield "info/link.json", _json(_link(package.wheel))
    yield from _licenses(package.wheel)
    yield "info/paths.json", _json({"paths": [_path(one) for one in written], "paths_version": 1})


def _index(package: CondaPackage, epoch: int) -> Mapping[str, Any]:
    variant = package.variant
    machine = {"arch": variant.machine, "platform": "linux"} if variant.machine else {}
    return {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": package.build_number,
        "depends": list(variant.depends),
        "subdir": variant.subdir,
        **machine,
        **({} if variant.python else {"noarch": "python"}),
        **_named("license", license_of(package.wheel)),
        # Solvers avoid features, whatever the times of the packages are.
        **({"track_features": f"{package.name}_no_compile"} if package.is_fallback else {}),
        "timestamp": epoch * 1000,
    }


def _about(wheel: Wheel) -> Mapping[str, Any]:
    urls = dict(_urls(wheel))
    named = {field: next((urls[label] for label in labels if label in urls), "") for field, labels in _LABELS.items()}
    return {
        **_named("home", str(wheel.metadata.get("Home-page", "")) or named["home"]),
        **_named("dev_url", named["dev_url"]),
        **_named("doc_url", named["doc_url"]),
        **_named("license", license_of(wheel)),
        **_named("summary", str(wheel.metadata.get("Summary", ""))),
        "extra": {"crosswheel": __version__, "wheel": wheel.path.name, "wheel_sha256": wheel.sha256},
    }


def _urls(wheel: Wheel) -> Iterator[tuple[str, str]]:
    for line in wheel.metadata.get_all("Project-URL", []):
        label, _, url = str(line).partition(",")
        yield "".join(filter(str.isalnum, label.lower())), url.strip()


def license_of(wheel: Wheel) -> str:
    """The licence as an SPDX expression (PEP 639), or in the words of older metadata; empty if neither is short."""
    expression = str(wheel.metadata.get("License-Expression", ""))
    older = str(wheel.metadata.get("License", ""))
    if expression or (older and len(older) <= _LONGEST_LICENSE and "\n" not in older):
        return expression or older
    classifiers = (str(line) for line in wheel.metadata.get_all("Classifier", []))
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")]
    return " AND ".join(name for name in names if name != "OSI Approved")


def _licenses(wheel: Wheel) -> Iterator[tuple[str, bytes]]:
    """The files of licences: in licenses/ of the dist-info folder, in older wheels beside METADATA (PEP 639)."""
    named = {str(line) for line in wheel.metadata.get_all("License-File", [])}
    for member in wheel.members:
        path = member.removeprefix(f"{wheel.dist_info}/")
        if path != member and (path.startswith("licenses/") or path in named):
            data = wheel.archive.read(wheel.archive.files[member])
            yield f"info/licenses/{path.removeprefix('licenses/')}", data


def _link(wheel: Wheel) -> Mapping[str, Any]:
    """What the installer does for a package in the layout of `noarch: python` (CEP 20)."""
    scripts = list(console_scripts(wheel))
    return {
        "noarch": {"type": "python", **({"entry_points": scripts} if scripts else {})},
        "package_metadata_version": 1,
    }


def _path(written: Written) -> Mapping[str, Any]:
    prefix = {"prefix_placeholder": PREFIX, "file_mode": "text"} if written.content.has_prefix else {}
    return {
        "_path": written.content.path,
        "path_type": "hardlink",
        "sha256": written.sha256,
        "size_in_bytes": written.size,
        **prefix,
    }


def _named(field: str, text: str) -> Mapping[str, str]:
    """The field, where there is a value."""
    return {field: text} if text and text != "UNKNOWN" else {}


def _json(value: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(value, indent=2, sort_keys=True)}\n".encode()
