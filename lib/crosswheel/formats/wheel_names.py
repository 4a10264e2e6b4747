"""The parts of a wheel's file name as they are spelled there; packaging.utils gives them normalised (PEP 427)."""

from __future__ import annotations

from typing import NamedTuple


class WheelName(NamedTuple):
    """NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl; `build` is empty where there is none."""

    project: str
    version: str
    build: str
    python: str
    abi: str
    platform: str

    @property
    def tag(self) -> str:
        """The compressed tag set, such as ``cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64``."""
        return f"{self.python}-{self.abi}-{self.platform}"

    @property
    def file_name(self) -> str:
        """The name of the file."""
        return f"{'-'.join(part for part in self if part)}.whl"


def split_name(file_name: str) -> WheelName:
    """The parts of a name that `packaging.utils.parse_wheel_filename` takes. Raises ValueError for too few parts."""
    *first, python, abi, platform = file_name.removesuffix(".whl").split("-")
    project, version, *build = first
    return WheelName(project, version, "-".join(build), python, abi, platform)
