"""Extension modules among the members of a wheel."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crosswheel.formats.elf import BadElf, Elf

# Suffixes of extension modules (PEP 3149, PEP 384, PEP 803); a plain ".so" needs a check of the content.
# Since CPython 3.15 the suffix of the stable ABI may name the platform, too: .abi3-aarch64-linux-gnu.so.
_STABLE_SUFFIX = re.compile(r"\.(abi3t?)(?:-[\w-]+)?\.so")
EXTENSION_SUFFIX = re.compile(rf"(?:\.cpython-3\d+[a-z]*-[\w-]+\.so|{_STABLE_SUFFIX.pattern})\Z")


@dataclass(frozen=True)
class Extension:
    """A member that Python can import as the module `name`: it has an extension suffix, or exports an init function."""

    member: str
    name: str
    suffix: str
    elf: Elf | BadElf

    @property
    def hooks(self) -> frozenset[str]:
        """The init functions that import searches for; one of them must exist (PEP 489, PEP 793)."""
        if self.name.isascii():
            return frozenset({f"PyInit_{self.name}", f"PyModExport_{self.name}"})
        name = self.name.encode("punycode").decode("ascii").replace("-", "_")
        return frozenset({f"PyInitU_{name}", f"PyModExportU_{name}"})

    @property
    def stable_abi(self) -> str:
        """``abi3`` or ``abi3t`` if the file name has it, otherwise empty."""
        stable = _STABLE_SUFFIX.fullmatch(self.suffix)
        return stable[1] if stable else ""


def extension_at(member: str, elf: Elf | BadElf) -> Extension | None:
    """The extension module that a member is, if it is one."""
    folder, _, file = member.rpartition("/")
    name, dot, rest = file.partition(".")
    # import only tries suffixes of one part: mpi4py loads MPI.mpich.cpython-*.so itself.
    if not re.fullmatch(r"(?:[^.]+\.)?so", rest):
        return None
    if name == "__init__":  # an extension named __init__ is imported by the name of its folder
        name = folder.rpartition("/")[2]
    extension = Extension(member, name, dot + rest, elf)
    if EXTENSION_SUFFIX.fullmatch(extension.suffix):
        return extension
    exports = elf.defined if isinstance(elf, Elf) else frozenset()
    return extension if any(symbol.startswith(("PyInit_", "PyModExport_")) for symbol in exports) else None
