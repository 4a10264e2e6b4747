"""A stand-in for multiarch/qemu-user-static: an image that makes the kernel of its host run programs for aarch64."""

from __future__ import annotations

import shutil
from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.busybox import write_busybox
from containers.stand_ins.system import DEBIAN, write
from debian import unpacked

# Of the version that the image itself has.
_SUITE = "bookworm"

_REGISTER = r"""#!/bin/sh
# register [--reset] [-p|--persistent yes] [--credential yes]
set -e
binfmt=/proc/sys/fs/binfmt_misc
[ -f $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt
flags=
while [ $# -gt 0 ]; do
    case "$1" in
    --reset) find $binfmt -type f -name 'qemu-*' -exec sh -c 'echo -1 > {}' \; ;;
    -p | --persistent) [ "$2" != yes ] || flags=F$flags; shift ;;
    --credential) [ "$2" != yes ] || flags=OC$flags; shift ;;
    *) echo "register: unknown option $1" >&2; exit 1 ;;
    esac
    shift
done
echo "Setting /usr/bin/qemu-aarch64-static as binfmt interpreter for aarch64"
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
cat >$binfmt/register <<END
:qemu-aarch64:M::$magic:$mask:/usr/bin/qemu-aarch64-static:$flags
END
"""


def qemu_user_static(arch: str, layer: Path, cache: Path) -> Image:
    """Of the architecture of the engine's machine."""
    write_busybox(layer, arch, cache)
    write_emulator(layer, arch, cache)
    write(layer / "register", _REGISTER, 0o755)
    return Image(arch, [layer], {"PATH": "/bin"}, ["/register"])


def write_emulator(layer: Path, arch: str, cache: Path, machine: str = "aarch64", name: str = "") -> None:
    """A program of `arch` that runs those for `machine`; `name` is its path in the image, else as Debian has it."""
    debian = f"usr/bin/qemu-{machine}-static"
    path = layer / (name or debian)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(unpacked(DEBIAN[arch], ["qemu-user-static"], _SUITE, cache) / debian, path)
