"""The frozen values of a folder with multibuild, which builds and tests its project with scripts of its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from crosswheel.model.targets import Target

FOLDER = PurePosixPath("/io")
"""The path in containers at which multibuild's scripts expect the folder."""

BUILD_VARIABLES = (
    "UNICODE_WIDTH", "BUILD_COMMIT", "CONFIG_PATH", "ENV_VARS_PATH", "WHEEL_SDIR", "MANYLINUX_URL", "BUILD_DEPENDS",
    "USE_CCACHE", "REPO_DIR",
)  # fmt: skip
"""What build_multilinux of travis_linux_steps.sh passes on from the caller's environment, beside the target."""
TEST_VARIABLES = ("UNICODE_WIDTH", "CONFIG_PATH", "WHEEL_SDIR", "MANYLINUX_URL", "TEST_DEPENDS")
"""What install_run of travis_linux_steps.sh passes on."""
TARGET_VARIABLES = ("MB_PYTHON_VERSION", "PLAT", "MB_ML_VER", "MB_ML_LIBC", "DOCKER_IMAGE")
"""What selects a target, or its image."""


@dataclass(frozen=True)
class Multibuild:
    """A folder with config.sh and multibuild/. `variables` are the caller's, with REPO_DIR; none is empty.

    `tests`: config.sh says how wheels are tested.
    """

    folder: Path = field(repr=False)
    variables: Mapping[str, str]
    tests: bool = False

    @property
    def project(self) -> Path:
        """The folder of the Python project."""
        return self.folder / self.variables["REPO_DIR"]

    @property
    def wheels(self) -> str:
        """The folder of wheels, relative to `folder`."""
        return self.variables.get("WHEEL_SDIR", "wheelhouse")

    def build_environ(self, target: Target) -> dict[str, str]:
        """The variables of docker_build_wrap.sh."""
        own = {name: self.variables.get(name, "") for name in BUILD_VARIABLES}
        commands = f"build_wheel {self.variables['REPO_DIR']}"
        return {**own, **_of(target), "PLAT": target.arch.name, "BUILD_COMMANDS": commands}

    def test_environ(self, target: Target) -> dict[str, str]:
        """The variables of docker_test_wrap.sh."""
        return {**{name: self.variables.get(name, "") for name in TEST_VARIABLES}, **_of(target)}

    @property
    def test_command(self) -> str:
        """The command that has docker_test_wrap.sh test one wheel, in an environment with pip."""
        wheels = shlex.quote(self.wheels)
        return " && ".join(
            [
                f"mv {{project}} {FOLDER}",
                f"cd {FOLDER}",
                f"mkdir -p {wheels}",
                f"cp {{wheel}} {wheels}/",
                "exec bash multibuild/docker_test_wrap.sh",
            ]
        )


def _of(target: Target) -> dict[str, str]:
    libc = "manylinux" if target.policy.libc == "glibc" else "musllinux"
    return {
        "PYTHON_VERSION": target.python.version,
        "MB_PYTHON_VERSION": target.python.version,
        "MB_ML_LIBC": libc,
        "MB_ML_VER": str(target.policy).removeprefix(libc),
    }
