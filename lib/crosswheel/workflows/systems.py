"""The CI systems: the file that each reads, and the runners that it offers.

`runners` maps an architecture to the label of a machine of that architecture with a Docker Engine, as each system
names it (October 2026): GitHub's runner labels, GitLab's runner tags, CircleCI's resource classes, Travis's `arch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A CI system. `publisher` says what makes PyPI trust the job that publishes; empty if it takes a token."""

    name: str
    title: str
    path: str
    runners: Mapping[str, str]
    publisher: str = ""

    @property
    def template(self) -> str:
        return f"{self.name}.yml.jinja"


_ALL = (
    System(
        name="github",
        title="GitHub Actions",
        path=".github/workflows/wheels.yml",
        runners={"x86_64": "ubuntu-24.04", "i686": "ubuntu-24.04", "aarch64": "ubuntu-24.04-arm"},
        publisher="workflow wheels.yml",
    ),
    System(
        name="gitlab",
        title="GitLab CI/CD",
        path=".gitlab-ci.yml",
        runners={
            "x86_64": "saas-linux-small-amd64",
            "i686": "saas-linux-small-amd64",
            "aarch64": "saas-linux-small-arm64",
        },
        publisher="top-level pipeline file .gitlab-ci.yml",
    ),
    System(
        name="circleci",
        title="CircleCI",
        path=".circleci/config.yml",
        runners={"x86_64": "medium", "i686": "medium", "aarch64": "arm.medium"},
    ),
    System(
        name="travis",
        title="Travis CI",
        path=".travis.yml",
        # `arch: aarch64` would silently give an x86_64 machine.
        runners={
            "x86_64": "amd64",
            "i686": "amd64",
            "aarch64": "arm64-graviton2",
            "ppc64le": "ppc64le",
            "s390x": "s390x",
        },
    ),
)
SYSTEMS: Mapping[str, System] = {system.name: system for system in _ALL}
