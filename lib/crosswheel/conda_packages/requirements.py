"""The requirements of a wheel as dependencies of a conda package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crosswheel.conda_packages.names import conda_name, renamed
from crosswheel.conda_packages.version_specs import conda_spec
from crosswheel.errors import CheckFailed
from crosswheel.model.targets import PythonTag

_NEWEST = 99  # newer than any patch release


@dataclass(frozen=True)
class Dependencies:
    """Dependencies in conda's words; `same_name` are those for which the table has no other name than PyPI's.

    `extras` are requirements such as ``requests[socks]``: a conda package has no extras.
    """

    depends: tuple[str, ...] = ()
    same_name: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def dependencies(lines: Iterable[str], environment: Mapping[str, str]) -> Dependencies:
    """The dependencies by lines of Requires-Dist whose markers hold in the environment; no extra is asked for.

    Raises CheckFailed for an invalid requirement, and for one with an address: conda cannot depend on that.
    """
    wanted = list(_wanted(lines, environment))
    depends = {f"{conda_name(one.name)} {conda_spec(one.specifier)}".strip() for one in wanted}
    return Dependencies(
        tuple(sorted(depends)),
        tuple(sorted({name for one in wanted if (name := canonicalize_name(one.name)) not in renamed()})),
        tuple(sorted(f"{one.name}[{','.join(sorted(one.extras))}]" for one in wanted if one.extras)),
    )


def _wanted(lines: Iterable[str], environment: Mapping[str, str]) -> Iterator[Requirement]:
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise CheckFailed(f"Requires-Dist: {line} is not valid: {error}") from error
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        if requirement.url:
            raise CheckFailed(f"it requires {line}, and a conda package cannot depend on an address")
        yield requirement


def environment(python: PythonTag, machine: str, system: str = "linux") -> dict[str, str]:
    """The values of environment markers for CPython on a machine; `system` is linux, darwin or win32."""
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": f"{python.version}.{_NEWEST}",
        "os_name": "nt" if system == "win32" else "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[system],
        "platform_version": "",
        "python_full_version": f"{python.version}.{_NEWEST}",
        "python_version": python.version,
        "sys_platform": system,
    }
