"""Prints what cibuildwheel makes of the projects in some folders, asked directly: for comparison, in few lines.

It runs in an environment with cibuildwheel.
"""

import contextlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from cibuildwheel import options as theirs
from cibuildwheel.platforms import linux

_COMMANDS = ("before_all", "before_build", "before_test", "test_command", "repair_command")
_LISTS = ("test_requires", "test_sources")


def main(*folders: str) -> None:
    json.dump({folder: asked(folder) for folder in folders}, sys.stdout)


def asked(folder: str) -> Any:
    os.chdir(folder)
    arguments = theirs.CommandLineArguments.defaults()
    arguments.platform, arguments.archs, arguments.package_dir = "linux", "aarch64", Path(folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            options = theirs.compute_options("linux", arguments, {})
            chosen = options.globals
            found = linux.get_python_configurations(chosen.build_selector, chosen.architectures)
            return {one.identifier: described(options, one.identifier) for one in found}
    except BaseException as error:  # noqa: BLE001 - FatalError is one
        return str(error)


def described(options: Any, identifier: str) -> dict[str, Any]:
    own = options.build_options(identifier)
    images = own.manylinux_images if "manylinux" in identifier else own.musllinux_images
    return {
        **{name: getattr(own, name) or "" for name in _COMMANDS},
        **{name: list(getattr(own, name)) for name in _LISTS},
        "config_settings": shlex.split(own.config_settings),
        "image": images["aarch64"],
        "extras": own.test_extras,
        "tested": options.globals.test_selector(identifier),
        "environment": variables(own.environment),
        "create_args": list(own.container_engine.create_args),
        "front_end": [own.build_frontend.name, *own.build_frontend.args] if own.build_frontend else ["default"],
    }


def variables(environment: Any) -> dict[str, str | None]:
    """The values; None for what needs a container."""
    one, other = _evaluated(environment, "one"), _evaluated(environment, "other")
    names = {assignment.name for assignment in environment.assignments}
    return {name: value if value == other[name] else None for name, value in one.items() if name in names}


def _evaluated(environment: Any, unknown: str) -> dict[str, str]:
    base = dict.fromkeys(("PATH", "HOME", "LD_LIBRARY_PATH"), unknown)
    values: dict[str, str] = environment.as_dictionary({**base, "AUDITWHEEL_ARCH": "aarch64"}, lambda *_: unknown)
    return values


if __name__ == "__main__":
    main(*sys.argv[1:])
