"""/opt/python of a stand-in image: CPythons of several Debian suites, laid out as in pypa's images."""

from __future__ import annotations

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from containers.stand_ins.index_packages import install, write_script
from containers.stand_ins.system import DEBIAN, PYTHONS, link, write
from debian import unpacked

MINORS = tuple(PYTHONS)

_INTERNAL = "opt/_internal"
_WHEELS = "/usr/share/python-wheels"

# What pypa's images bring besides.
_BESIDES = ("pip", "build", "packaging")

# Where the compiler was when Debian built CPython, and files of that day.
_OF_DEBIANS_BUILD = re.compile(r" ?-(?:ffile-prefix-map|fdebug-prefix-map|specs)=[^ ']+")

_LISTING = """\
#!/bin/sh
# Stand-in: lists what is there, and can install nothing.
case "$1" in
list)
    case "$*" in
    *json*) cat /{internal}/interpreters.json ;;
    *) ls /opt/python ;;
    esac ;;
ensure)
    shift
    for tag in "$@"; do
        [ -x "/opt/python/$tag/bin/python" ] || {{ echo "$tag is not in this stand-in" >&2; exit 1; }}
    done ;;
ensure-all) ;;
*) echo "usage: manylinux-interpreters [-h] {{ensure,ensure-all,list}} ..." ;;
esac
"""


def write_opt_python(layer: Path, arch: str, system: Path, cache: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        roots = dict(zip(MINORS, pool.map(lambda minor: debian_python(arch, minor, cache), MINORS), strict=True))
    for minor in sorted(MINORS, reverse=True):  # libraries of the newest come first: they serve the older ones as well
        _Interpreter(minor, arch, layer).write(roots[minor], system)
    interpreters = [_Interpreter(minor, arch, layer) for minor in MINORS]
    write(layer / _INTERNAL / "interpreters.json", json.dumps([each.listed() for each in interpreters], indent=2))
    write(layer / "usr/local/bin/manylinux-interpreters", _LISTING.format(internal=_INTERNAL), 0o755)


def write_environment(layer: Path, minor: int, folder: str) -> Path:
    """A virtual environment without programs of its own, made by hand: no foreign Python has to run.

    Debian's changes to where packages go do not reach into it. Gives the folder of its packages.
    """
    base = f"/{_INTERNAL}/debian-3.{minor}"
    home = layer / folder
    packages = home / "lib" / f"python3.{minor}" / "site-packages"
    packages.mkdir(parents=True)
    settings = f"home = {base}/bin\ninclude-system-site-packages = false\nversion = 3.{minor}\n"
    write(home / "pyvenv.cfg", settings)
    link(home / "bin" / "python", f"{base}/bin/python3.{minor}")
    for name in ("python3", f"python3.{minor}"):
        link(home / "bin" / name, "python")
    return packages


def debian_python(arch: str, minor: int, cache: Path) -> Path:
    packages = (f"python3.{minor}", f"libpython3.{minor}-dev", f"python3.{minor}-venv")
    return unpacked(DEBIAN[arch], packages, PYTHONS[minor], cache)


def write_cpython(layer: Path, base: str, root: Path, minor: int, triple: str, tools: str = "") -> None:
    """A Debian's CPython in a folder of its own, which names its compilers with `tools` before them."""
    name, home = f"python3.{minor}", layer / base
    (home / "bin").mkdir(parents=True)
    shutil.copy2(root / "usr/bin" / name, home / "bin" / name)
    _copy_tree(root / "usr/lib" / name, home / "lib" / name)
    _copy_tree(root / "usr/include" / name, home / "include" / name)
    # The one beside the other headers leads to the folder of the architecture, which is not on the way.
    shutil.copy2(root / "usr/include" / triple / name / "pyconfig.h", home / "include" / name)
    _copy_tree(root / _WHEELS.lstrip("/"), home / "share/python-wheels")
    library = home / "lib" / name
    (library / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    (library / "sitecustomize.py").unlink(missing_ok=True)
    for path in library.glob("config-*/*.[as]*"):
        path.unlink()
    for path in [*library.glob("_sysconfigdata*.py"), library / "ensurepip/__init__.py"]:
        if not path.is_symlink():
            text = path.read_text("utf-8").replace(f"{triple}-", tools)
            path.write_text(_moved(text, base, name), "utf-8")


def version_of(home: Path, minor: int) -> str:
    """As in 3.13.5, of a CPython in a folder of its own."""
    text = (home / f"include/python3.{minor}/patchlevel.h").read_text("utf-8")
    found = re.search(r'^#define PY_VERSION\s+"([^"+]+)', text, re.MULTILINE)
    assert found
    return found[1]


def _moved(text: str, base: str, name: str) -> str:
    """With paths of the new place."""
    text = _OF_DEBIANS_BUILD.sub("", text).replace(_WHEELS, f"/{base}/share/python-wheels")
    for folder in ("include", "lib"):
        text = text.replace(f"/usr/{folder}/{name}", f"/{base}/{folder}/{name}")
    return re.sub(r"('(?:exec_)?prefix': )'/usr'", rf"\1'/{base}'", text)


class _Interpreter:
    """One CPython of the image."""

    def __init__(self, minor: int, arch: str, layer: Path) -> None:
        self.minor = minor
        self.arch = arch
        self.layer = layer
        self.name = f"python3.{minor}"
        self.base = f"{_INTERNAL}/debian-3.{minor}"
        self.tag = f"cp3{minor}-cp3{minor}"

    def write(self, root: Path, system: Path) -> None:
        triple = f"{self.arch}-linux-gnu"
        write_cpython(self.layer, self.base, root, self.minor, triple)
        _copy_libraries(root / "usr/lib" / triple, self.layer / "usr/lib" / triple, system / "usr/lib" / triple)
        self._write_environment()

    def listed(self) -> dict[str, object]:
        """As `manylinux-interpreters list --format json` has it."""
        version = version_of(self.layer / self.base, self.minor)
        return {
            "identifier": self.tag,
            "installed": True,
            "python_version": version,
            "implementation": "cpython",
            "implementation_version": version,
            "install_path": f"/opt/python/{self.tag}",
        }

    def _write_environment(self) -> None:
        folder = f"{_INTERNAL}/cpython-{version_of(self.layer / self.base, self.minor)}"
        packages = write_environment(self.layer, self.minor, folder)
        link(self.layer / folder / "include", f"/{self.base}/include")
        link(self.layer / "opt/python" / self.tag, f"/{folder}")
        link(self.layer / "usr/local/bin" / self.name, f"/opt/python/{self.tag}/bin/python")
        install(packages, self.arch, self.minor, *_BESIDES)
        python = f"/opt/python/{self.tag}/bin/python"
        programs = self.layer / folder / "bin"
        for name in ("pip", "pip3", f"pip3.{self.minor}"):
            write_script(programs / name, python, "pip._internal.cli.main")
        write_script(programs / "pyproject-build", python, "build.__main__", "entrypoint")


def _copy_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))


def _copy_libraries(source: Path, target: Path, system: Path) -> None:
    """What an older suite's CPython needs and the system has not got."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.so.*"):
        if not any(os.path.lexists(folder / path.name) for folder in (system, target)):
            shutil.copy2(path, target / path.name, follow_symlinks=False)
