"""Configures build systems for the cross compiler of a dockcross image, which the image's variables name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers.images import Image
from crosswheel.errors import MissingTool
from crosswheel.model.targets import Target
from crosswheel.toolchains.build_systems import Configuration, gcc_long_double
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.toolbox import CCACHE

_VARIABLES = ("CC", "CXX", "CROSS_TRIPLE", "CROSS_ROOT", "CMAKE_TOOLCHAIN_FILE")

# Names that builds call directly, and the tools behind them.
_PROGRAMS = {
    "cc": "gcc", "c++": "g++", "gcc": "gcc", "g++": "g++", "ar": "ar", "ranlib": "ranlib", "ld": "ld", "strip": "strip",
}  # fmt: skip

# The target's library folders: below its sysroot, and below the compiler's installation. The compiler's own search
# path comes last, because some compilers include folders of the image's own libraries.
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
    """The compilers and binutils of an image. All their paths begin with `prefix`: a folder and the triple."""

    prefix: str
    variables: Mapping[str, str]
    """The environment variables of the image."""
    wrappers: Path | None = None
    """The folder of launchers that call compilers through ccache, written by `configure`."""

    def path(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def compiler(self, name: str) -> str:
        return str(self.wrappers / Path(self.path(name)).name) if self.wrappers else self.path(name)

    @property
    def compilers(self) -> dict[str, str]:
        """The compilers for `description.describe`."""
        return {
            name: self.compiler(tool) if tool in _COMPILERS else self.path(tool) for name, tool in _DESCRIBED.items()
        }

    @property
    def plain(self) -> dict[str, str]:
        """The image's native tools, which compile build requirements without a wheel."""
        tools = {name: value for name, value in self.variables.items() if value.startswith(self.prefix)}
        plain = {name: value.removeprefix(self.prefix) for name, value in tools.items()}
        return {**plain, "CMAKE_TOOLCHAIN_FILE": "", "PKG_CONFIG_PATH": ""}


_COMPILERS = ("gcc", "g++")
_DESCRIBED = {"CC": "gcc", "CXX": "g++", "AR": "ar", "RANLIB": "ranlib"}


def find_tools(image: Image, target: Target) -> CrossTools:
    """Find the tools by the image's variables. Raises MissingTool if the image compiles for another target."""
    hint = f"--image with a dockcross image for {target.arch}, or another --engine"
    environ = image.environ
    absent = [name for name in _VARIABLES if not environ.get(name)]
    if absent:
        text = f"{image.reference} is not a dockcross image: it does not set {', '.join(absent)}"
        raise MissingTool(text, hint=hint)
    triple = environ["CROSS_TRIPLE"]
    if _ends(triple) != _ends(target.multiarch):
        raise MissingTool(f"{image.reference} compiles for {triple}, not for {target.multiarch}", hint=hint)
    folder, name, _ = environ["CC"].rpartition(f"{triple}-")
    if not name:
        raise MissingTool(f"{image.reference} compiles with {environ['CC']}, which is not {triple}-gcc", hint=hint)
    return CrossTools(folder + name, environ)


def _ends(triple: str) -> tuple[str, str]:
    """Processor and C library of a triple, without the vendor between them."""
    return triple.partition("-")[0], triple.rpartition("-")[2]


def configure(folder: Path, tools: CrossTools, target: Target, description: Description, python: Path) -> Configuration:
    """Write every file; `python` is the build environment's interpreter. Paths are those in the image."""
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
            "c": tools.compiler("gcc"),
            "cpp": tools.compiler("g++"),
            "ar": tools.path("ar"),
            "strip": tools.path("strip"),
            **fortran,
        },
        long_double=gcc_long_double(target),
    )
    for prefix in ("", f"{target.multiarch}-"):
        for name, tool in _PROGRAMS.items():
            program = tools.compiler(tool) if tool in _COMPILERS else tools.path(tool)
            (made.bin / f"{prefix}{name}").symlink_to(program)
    for name, tool in {"build-cc": "gcc", "build-c++": "g++"}.items():
        _script(made.bin / name, _PLAIN.format(path=tools.variables.get("PATH", "/usr/bin:/bin"), tool=tool))
    if tools.wrappers:
        tools.wrappers.mkdir()
        for name in _COMPILERS:
            _script(Path(tools.compiler(name)), _WRAPPER.format(ccache=CCACHE, compiler=tools.path(name)))
        _script(tools.wrappers / _LAUNCHER, _WRAPPER.format(ccache=CCACHE, compiler=""))
    return made


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


# By their own names, because `bin` hides them.
_PLAIN = """\
#!/bin/sh
PATH="{path}"
export PATH
exec {tool} "$@"
"""

_LAUNCHER = "launch"

# Not by PATH, because the variables of these images contain full paths of compilers.
_WRAPPER = """\
#!/bin/sh
if test -x {ccache}; then exec {ccache} {compiler} "$@"; fi
exec {compiler} "$@"
"""


def environ_of(made: Configuration, tools: CrossTools) -> dict[str, str]:
    """Environment variables by which build systems find the files, to override those of the image."""
    root = tools.variables["CROSS_ROOT"]
    sysroot = tools.variables.get("QEMU_LD_PREFIX", f"{root}/{tools.variables['CROSS_TRIPLE']}/sysroot")
    libraries = (f"{root}/lib", f"{sysroot}/usr/lib64", f"{sysroot}/usr/lib", f"{sysroot}/usr/share")
    return {
        **made.environ(),
        **_launched(tools),
        "RANLIB": tools.path("ranlib"),
        # No folder of the image's own machine. The image's value, the target's folder, still comes first.
        "PKG_CONFIG_LIBDIR": ":".join([str(made.pkgconfig), *(f"{folder}/pkgconfig" for folder in libraries)]),
    }


def _launched(tools: CrossTools) -> dict[str, str]:
    """The image's variables with launchers before the compilers; its CMake toolchain file names the compilers."""
    if not tools.wrappers:
        return {}
    programs = {name: tools.compiler(tool) for name, tool in {"CC": "gcc", "CXX": "g++"}.items()}
    launcher = str(tools.wrappers / _LAUNCHER)
    return {**programs, "CMAKE_C_COMPILER_LAUNCHER": launcher, "CMAKE_CXX_COMPILER_LAUNCHER": launcher}
