"""Writes commands that answer for the target, such as uname, for a folder that is first in a build's PATH.

They do so only if CROSSWHEEL_TARGET is set, like interpreters (inside/impersonate.py): to get this machine's answer in
a build, empty that variable. All other questions are passed on to this machine's command.
"""

from __future__ import annotations

from pathlib import Path

from crosswheel.model.targets import Target
from crosswheel.toolchains.cpuinfo import features

# Debian's names of architectures that differ from ours.
_DEBIAN = {"aarch64": "arm64", "x86_64": "amd64", "armv7l": "armhf", "i686": "i386", "ppc64le": "ppc64el"}

# Removes the folder of these commands from PATH, so that the next command of the same name is this machine's.
_BEGINNING = """\
#!/bin/sh
rest=":$PATH:"
case $rest in
*:"{bin}":*)
  PATH="${{rest%%:"{bin}":*}}:${{rest#*:"{bin}":}}"
  PATH=${{PATH#:}}
  PATH=${{PATH%:}}
  ;;
esac
test -n "$CROSSWHEEL_TARGET" || exec {name} "$@"
"""

# uname prints its fields in a fixed order. With -a it leaves out processor and platform if they are unknown.
_UNAME = """\
flags=
for word; do
  case $word in
  --all) flags=${{flags}}a ;;
  --kernel-name) flags=${{flags}}s ;;
  --nodename) flags=${{flags}}n ;;
  --kernel-release) flags=${{flags}}r ;;
  --kernel-version) flags=${{flags}}v ;;
  --machine) flags=${{flags}}m ;;
  --processor) flags=${{flags}}p ;;
  --hardware-platform) flags=${{flags}}i ;;
  --operating-system) flags=${{flags}}o ;;
  -*[!asnrvmpio]* | [!-]* | '' | -) exec uname "$@" ;;
  *) flags=$flags${{word#-}} ;;
  esac
done
case $flags in
*a*) test "$(uname -p)" = unknown && flags=${{flags}}snrvmo || flags=${{flags}}snrvmpio ;;
*[mpi]*) ;;
*) exec uname "$@" ;;
esac
answer=
for field in s n r v m p i o; do
  case $flags in *$field*) ;; *) continue ;; esac
  case $field in [mpi]) value={machine} ;; *) value=$(uname -$field) ;; esac
  answer="$answer${{answer:+ }}$value"
done
echo "$answer"
"""

_ARCH = """\
test $# = 0 || exec arch "$@"
echo {machine}
"""

_GETCONF = """\
test "$*" = LONG_BIT || exec getconf "$@"
echo {bits}
"""

# What util-linux prints of these; more of it would have to be invented. /proc/cpuinfo is the target's in the sandbox.
_LSCPU = """\
test $# = 0 || exec lscpu "$@"
echo "Architecture:        {machine}"
echo "Byte Order:          {order}"
echo "CPU(s):              $(getconf _NPROCESSORS_ONLN)"
echo "Flags:               {features}"
"""

_DPKG = """\
test "$*" = --print-architecture || exec dpkg "$@"
echo {debian}
"""

_PYTHON_CONFIG = """\
#!/bin/sh
exec "{python}" -I -m _crosswheel.python_config "$@"
"""

_EVERYWHERE = {"uname": _UNAME, "arch": _ARCH, "getconf": _GETCONF, "lscpu": _LSCPU}

# Commands of build requirements; otherwise one of another Python of this machine might be found.
COMMANDS_OF_REQUIREMENTS = ("numpy-config", "pybind11-config")


def write_commands(folder: Path, target: Target, python: Path) -> None:
    """Write the commands; `python` is the build environment's interpreter, with the modules of startup.py installed."""
    for name, text in _EVERYWHERE.items():
        _write(folder / name, _BEGINNING + text, target)
    for name in python_config_names(target):
        _write(folder / name, _PYTHON_CONFIG, target, python)
    for name in COMMANDS_OF_REQUIREMENTS:
        (folder / name).symlink_to(python.parent / name)


def write_dpkg(folder: Path, target: Target) -> None:
    """Write dpkg, for machines that have it: only there can builds call it."""
    _write(folder / "dpkg", _BEGINNING + _DPKG, target)


def python_config_names(target: Target) -> list[str]:
    """The names of python3-config in CPython, and in Debian for another architecture."""
    own = {f"python{target.python.version}", target.python.name}
    names = ("python", "python3", *own, *(f"{target.multiarch}-{name}" for name in own))
    return [f"{name}-config" for name in names]


def _write(path: Path, text: str, target: Target, python: Path | str = "") -> None:
    arch = target.arch
    answers = {"machine": arch.name, "bits": arch.bits, "debian": _DEBIAN.get(arch.name, arch.name)}
    answers |= {"order": f"{arch.byteorder.title()} Endian", "features": " ".join(features(arch))}
    path.write_text(text.format(bin=path.parent, name=path.name, python=python, **answers))
    path.chmod(0o755)
