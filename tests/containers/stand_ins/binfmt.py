"""A stand-in for tonistiigi/binfmt: emulators for an engine's machine, and the program that registers them.

It speaks as the real one does: nothing that goes wrong changes its exit code, which is 0.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.busybox import static_busybox, write_busybox
from containers.stand_ins.qemu_user_static import write_emulator
from containers.stand_ins.system import write

# Architectures in its words: those of wheels and QEMU, and the bytes of an ELF file's header that tell.
_EMULATED: Mapping[str, tuple[str, str]] = {
    "arm64": ("aarch64", r"\x02\x01\x01|\x02\x00\xb7\x00"),
    "riscv64": ("riscv64", r"\x02\x01\x01|\x02\x00\xf3\x00"),
    "s390x": ("s390x", r"\x02\x02\x01|\x00\x02\x00\x16"),
}
# Of those 20 bytes, which count: not the ABI's, and programs and shared objects are alike.
_SAME = r"\xff"
_LAST: Mapping[bool, str] = {False: r"\xfe\xff\xff\xff", True: r"\xff\xfe\xff\xff"}

_PROGRAM = r"""#!/bin/sh
# binfmt [--install ARCH,...|all] [--uninstall ARCH|NAME|PATTERN,...]
mount=/proc/sys/fs/binfmt_misc

say() { echo "$*" >&2; }

# Whether the kernel does; in a root without emulators, for that is how containers are.
runs() { chroot "/check/$1" /busybox true 2>/dev/null; }

# Gives the name that the program itself uses.
architecture() {
    case "${1#linux/}" in
    aarch64) echo arm64 ;;
    x86_64) echo amd64 ;;
    *) echo "${1#linux/}" ;;
    esac
}

install() {
    if [ ! -f "/lines/$1" ]; then
        say "installing: $1 unsupported architecture: $1"
        return
    fi
    read -r line <"/lines/$1"
    name=${line#:}
    name=${name%%:*}
    if error=$(echo "$line:CF${QEMU_PRESERVE_ARGV0:+P}" | cat 2>&1 >$mount/register); then
        say "installing: $1 OK"
        return
    fi
    case "$error" in
    *"File exists"*) say "installing: $1 $name already registered" ;;
    *) say "installing: $1 cannot register \"/usr/bin/$name\" to $mount/register: $error" ;;
    esac
}

uninstall() {
    for entry in "$mount/$1" "$mount"/*-"$1"; do
        if [ -f "$entry" ]; then
            echo -1 >"$entry" && say "uninstalling: $1 OK"
            return
        fi
    done
    say "uninstalling: $1 not found"
}

# The values of a JSON list.
list() {
    separator=
    for value in "$@"; do
        printf '%s\n    "%s"' "$separator" "$value"
        separator=,
    done
}

status() {
    set --
    for path in /lines/*; do
        ! runs "${path##*/}" || set -- "$@" "linux/${path##*/}"
    done
    printf '{\n  "supported": [%s\n  ],\n' "$(list linux/amd64 linux/386 "$@")"
    set --
    for path in $mount/*; do
        case "${path##*/}" in
        register | status) ;;
        *) read -r state <"$path" && [ "$state" != enabled ] || set -- "$@" "${path##*/}" ;;
        esac
    done
    if [ $# -eq 0 ]; then
        printf '  "emulators": null\n}\n'
    else
        printf '  "emulators": [%s\n  ]\n}\n' "$(list "$@")"
    fi
}

while [ $# -gt 0 ]; do
    option=${1#-}
    option=${option#-}
    case "$option" in
    install=*) wanted=${option#*=} ;;
    uninstall=*) unwanted=${option#*=} ;;
    install) wanted=$2; shift ;;
    uninstall) unwanted=$2; shift ;;
    *) say "flag provided but not defined: -$option"; exit 2 ;;
    esac
    shift
done
if [ ! -e $mount/status ]; then
    if ! mount -t binfmt_misc binfmt_misc $mount 2>/dev/null; then
        say "error: cannot mount binfmt_misc filesystem at $mount: operation not permitted"
        exit
    fi
    trap "umount $mount" EXIT
fi
IFS=,
for each in $unwanted; do
    arch=$(architecture "$each")
    [ ! -f "/lines/$arch" ] || { read -r line <"/lines/$arch"; each=${line#:qemu-}; each=${each%%:*}; }
    found=
    for path in "$mount"/$each; do
        [ ! -f "$path" ] || { uninstall "${path##*/}"; found=1; }
    done
    [ -n "$found" ] || uninstall "$each"
done
if [ "$wanted" = all ]; then
    for path in /lines/*; do
        runs "${path##*/}" || install "${path##*/}"
    done
else
    for each in $wanted; do
        install "$(architecture "$each")"
    done
fi
status
"""


def binfmt(arch: str, layer: Path, cache: Path) -> Image:
    """Of the architecture of the engine's machine."""
    write_busybox(layer, arch, cache, "chroot", "umount")
    write(layer / "usr/bin/binfmt", _PROGRAM, 0o755)
    for name, (machine, header) in _EMULATED.items():
        write_emulator(layer, arch, cache, machine, f"usr/bin/qemu-{machine}")
        write(layer / "lines" / name, f"{_line(machine, header)}\n")
        (layer / "check" / name).mkdir(parents=True)
        shutil.copy2(static_busybox(machine, cache), layer / "check" / name / "busybox")
    return Image(arch, [layer], {"PATH": "/bin", "QEMU_PRESERVE_ARGV0": "1"}, ["/usr/bin/binfmt"])


def _line(machine: str, header: str) -> str:
    """What is registered, except for the flags."""
    start, end = header.split("|")
    magic = rf"\x7fELF{start}" + r"\x00" * 9 + end
    mask = _SAME * 7 + r"\x00" + _SAME * 8 + _LAST[end.startswith(r"\x00")]
    return f":qemu-{machine}:M:0:{magic}:{mask}:/usr/bin/qemu-{machine}"
