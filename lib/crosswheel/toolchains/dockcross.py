"""The cross compiler that an image of dockcross's brings along, for build systems: variables of the image name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers.images import Image
from crosswheel.errors import MissingTool
from crosswheel.targets import Target
from crosswheel.toolchains.build_systems import Configuration
from crosswheel.toolchains.description import Description

_VARIABLES = ("CC", "CXX", "CROSS_TRIPLE", "CROSS_ROOT", "CMAKE_TOOLCHAIN_FILE")

# Names that builds call without asking, and the tools that answer to them.
_PROGRAMS = {
    "cc": "gcc", "c++": "g++", "gcc": "gcc", "g++": "g++", "ar": "ar", "ranlib": "ranlib", "ld": "ld", "strip": "strip",
}  # fmt: skip

# Where the loader of the target looks: below its sysroot, and below what this compiler was installed with. What the
# compiler itself searches comes last: of some, folders of the image's own libraries are part.
LIBRARY_FOLDERS = """
for root in "$QEMU_LD_PREFIX" "$CROSS_ROOT/$CROSS_TRIPLE" "$CROSS_ROOT"; do
  for folder in usr/local/lib64 usr/local/lib lib64 usr/lib64 lib usr/lib; do
    echo "$root/$folder"
  done
done
$CC -print-search-dirs | sed -n 's/^libraries: =//p' | tr : '\\n'
"""


@dataclass(frozen=True)
class CrossTools:
    """The compilers of an image and their kin. All their names begin with `prefix`, a folder and the triple."""

    prefix: str
    variables: Mapping[str, str]
    """All that the image sets."""

    def path(self, name: str) -> str:
        return f"{self.prefix}{name}"

    @property
    def compilers(self) -> dict[str, str]:
        """As `description` wants them."""
        return {name: self.path(tool) for name, tool in _DESCRIBED.items()}

    @property
    def plain(self) -> dict[str, str]:
        """What build requirements without a wheel are compiled with: the tools of the image's own machine."""
        tools = {name: value for name, value in self.variables.items() if value.startswith(self.prefix)}
        plain = {name: value.removeprefix(self.prefix) for name, value in tools.items()}
        return {**plain, "CMAKE_TOOLCHAIN_FILE": "", "PKG_CONFIG_PATH": ""}


_DESCRIBED = {"CC": "gcc", "CXX": "g++", "AR": "ar", "RANLIB": "ranlib"}


def find_tools(image: Image, target: Target) -> CrossTools:
    """What the image has, by what it says of itself; raises MissingTool for one that compiles for something else."""
    hint = f"--image with one of dockcross's for {target.arch}, or another --engine"
    environ = image.environ
    absent = [name for name in _VARIABLES if not environ.get(name)]
    if absent:
        text = f"{image.reference} is none of dockcross's: it does not set {', '.join(absent)}"
        raise MissingTool(text, hint=hint)
    triple = environ["CROSS_TRIPLE"]
    if _ends(triple) != _ends(target.multiarch):
        raise MissingTool(f"{image.reference} compiles for {triple}, and not for {target.multiarch}", hint=hint)
    folder, name, _ = environ["CC"].rpartition(f"{triple}-")
    if not name:
        raise MissingTool(f"{image.reference} compiles with {environ['CC']}, which is no {triple}-gcc", hint=hint)
    return CrossTools(folder + name, environ)


def _ends(triple: str) -> tuple[str, str]:
    """Processor and C library; between them, a triple may name a vendor."""
    return triple.partition("-")[0], triple.rpartition("-")[2]


def configure(folder: Path, tools: CrossTools, target: Target, description: Description, python: Path) -> Configuration:
    """Write every file; `python` is the build environment's interpreter. Paths are the image's."""
    made = Configuration(folder)
    fortran = {"fortran": tools.variables["FC"]} if tools.variables.get("FC") else {}
    made.write(
        target,
        description,
        python,
        cmake=(
            f'include("{tools.variables["CMAKE_TOOLCHAIN_FILE"]}")',
            # For the CMake files of build requirements, such as pybind11's.
            f'list(APPEND CMAKE_FIND_ROOT_PATH "{python.parent.parent}")',
        ),
        programs={
            "c": tools.path("gcc"),
            "cpp": tools.path("g++"),
            "ar": tools.path("ar"),
            "strip": tools.path("strip"),
            **fortran,
        },
    )
    for prefix in ("", f"{target.multiarch}-"):
        for name, tool in _PROGRAMS.items():
            (made.bin / f"{prefix}{name}").symlink_to(tools.path(tool))
    for name, tool in {"build-cc": "gcc", "build-c++": "g++"}.items():
        program = made.bin / name
        program.write_text(_PLAIN.format(path=tools.variables.get("PATH", "/usr/bin:/bin"), tool=tool))
        program.chmod(0o755)
    return made


# Under their own names, `bin` hides them.
_PLAIN = """\
#!/bin/sh
PATH="{path}"
export PATH
exec {tool} "$@"
"""


def environ_of(made: Configuration, tools: CrossTools, target: Target) -> dict[str, str]:
    """The variables that make build systems find all this, over those of the image."""
    root = tools.variables["CROSS_ROOT"]
    sysroot = tools.variables.get("QEMU_LD_PREFIX", f"{root}/{tools.variables['CROSS_TRIPLE']}/sysroot")
    libraries = (f"{root}/lib", f"{sysroot}/usr/lib64", f"{sysroot}/usr/lib", f"{sysroot}/usr/share")
    return {
        **made.environ(target),
        "RANLIB": tools.path("ranlib"),
        # Nothing of the image's own machine. Where the image says that the target's are comes first all the same.
        "PKG_CONFIG_LIBDIR": ":".join([str(made.pkgconfig), *(f"{folder}/pkgconfig" for folder in libraries)]),
    }
