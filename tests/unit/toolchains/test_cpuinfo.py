"""What cross builds read as /proc/cpuinfo."""

from __future__ import annotations

import re

from crosswheel.model.targets import architectures
from crosswheel.toolchains.cpuinfo import cpuinfo


def test_every_architecture_has_processors_in_the_kernels_words() -> None:
    for arch in architectures().values():
        numbers = re.findall(r"^processor(?:\t:)? (\d)", cpuinfo(arch, 2), re.MULTILINE)
        assert numbers == ["0", "1"], arch.name


def test_features_are_those_of_the_target() -> None:
    assert cpuinfo(architectures()["aarch64"], 1).splitlines()[1] == "Features\t: fp asimd"
    assert "sse" not in "".join(cpuinfo(arch, 1) for name, arch in architectures().items() if name not in _X86)


_X86 = {"x86_64", "i686"}
