"""A PEP 517 backend that needs nothing installed, with one object for each way to behave.

It stands in the tree of every project here (backend-path). What it "compiles" lies ready in the file TINY_LIBRARY. It
imports little, for hundreds of tests start it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import time
import zipfile
from pathlib import Path

PYTHON = os.environ.get("TINY_PYTHON", "cp313")
PLATFORM = os.environ.get("TINY_PLATFORM", "linux_x86_64")
SUFFIX = os.environ.get("TINY_SUFFIX", ".so")
LIBRARY = os.environ.get("TINY_LIBRARY", "")
NOTES = os.environ.get("TINY_NOTES", ".")
PKG_INFO = "Metadata-Version: 2.2\nName: tiny\nVersion: 1.0\nRequires-Python: >=3.10\n"


def write_wheel(folder: str, tag: str, members: dict[str, bytes]) -> str:
    name, info = f"tiny-1.0-{tag}.whl", "tiny-1.0.dist-info"
    purelib = "true" if tag.endswith("-any") else "false"
    files = {
        **members,
        f"{info}/METADATA": PKG_INFO.encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n".encode(),
    }
    digests = {
        member: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        for member, data in files.items()
    }
    rows = [f"{member},sha256={digest},{len(files[member])}\n" for member, digest in digests.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(Path(folder, name), "w") as archive:
        for member, data in files.items():
            # Of the same time whenever it is made.
            archive.writestr(zipfile.ZipInfo(member), data)
    return name


class Platform:
    """One wheel of the target, with one extension in it."""

    tag = f"{PYTHON}-{PYTHON}-{PLATFORM}"
    suffix = SUFFIX

    def members(self) -> dict[str, bytes]:
        return {f"fast{self.suffix}": Path(LIBRARY).read_bytes()} if LIBRARY else {"fast.py": b""}

    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        sys.stdout.write("compiling fast\n")
        return write_wheel(folder, self.tag, self.members())

    def build_sdist(self, folder: str, config_settings: object = None) -> str:
        import io
        import tarfile

        name = "tiny-1.0"
        with tarfile.open(Path(folder, f"{name}.tar.gz"), "w:gz") as archive:
            entry = tarfile.TarInfo(f"{name}/PKG-INFO")
            entry.size = len(PKG_INFO)
            archive.addfile(entry, io.BytesIO(PKG_INFO.encode()))
            for path in sorted(filter(Path.is_file, Path.cwd().iterdir())):
                archive.add(path, f"{name}/{path.name}")
        return f"{name}.tar.gz"


class StableAbi(Platform):
    tag = f"{PYTHON}-abi3-{PLATFORM}"
    suffix = ".abi3.so"


class StableAbiSince312(Platform):
    tag = f"{PYTHON}-abi3-{PLATFORM}" if PYTHON >= "cp312" else Platform.tag
    suffix = ".abi3.so" if PYTHON >= "cp312" else SUFFIX


class ForAnyPython(Platform):
    """A library for ctypes: one wheel for all Pythons, and no two builds of it are the same to the byte."""

    tag = f"py3-none-{PLATFORM}"

    def members(self) -> dict[str, bytes]:
        return {"fast/fast.so": Path(LIBRARY).read_bytes(), "fast/built.py": str(time.time_ns()).encode()}


class Pure(Platform):
    tag = "py3-none-any"

    def members(self) -> dict[str, bytes]:
        return {"fast.py": b""}


class Dated(Platform):
    """Each of these makes a file beside the extension that is never the same: this one by __TIME__, as a compiler."""

    def made(self) -> str:
        return f"built = '{time.strftime('%H:%M:%S')}.{time.time_ns() % 10**9:09}'"

    def members(self) -> dict[str, bytes]:
        return {**super().members(), "built.py": self.made().encode()}


class Placed(Dated):
    def made(self) -> str:
        return f"folder = {str(Path.cwd())!r}"


class Random(Dated):
    def made(self) -> str:
        return f"key = {os.urandom(16).hex()!r}"


class Unordered(Dated):
    def made(self) -> str:
        return f"names = {list({chr(97 + number) * 3 for number in range(20)})!r}"


class WithoutElf(Pure):
    """What PyYAML does without libyaml: the extension was optional, the name of the wheel is not."""

    tag = Platform.tag


class WithoutElfForAnyPython(Pure):
    tag = ForAnyPython.tag


def note_uncompiled(name: str) -> None:
    """As setuptools does in build environments: in the workspace's folder of what a build makes."""
    row = {"name": name, "why": "command 'cc' failed with exit code 1"}
    sys.stdout.write(f"building '{name}' extension\n{name}.c:1:10: fatal error: 'zlib.h' file not found\n")
    (Path.cwd().parents[1] / "made" / "uncompiled").write_text(json.dumps(row))


class LacksAnExtension(Platform):
    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        note_uncompiled("faster")
        return super().build_wheel(folder)


class LacksAll(Pure):
    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        note_uncompiled("fast")
        return super().build_wheel(folder)


class MissesAHeader(Platform):
    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        sys.stdout.write("fast.c:1:10: fatal error: 'zlib.h' file not found\n")
        raise SystemExit(1)


class Raises(Platform):
    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        raise RuntimeError("fast.c:1: error: unknown type name 'Fast'")


class RaisesOnce(Platform):
    """For CPython 3.12 only."""

    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        return (Raises if PYTHON == "cp312" else Platform)().build_wheel(folder)


class NoWheel(Platform):
    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        return "tiny-1.0-py3-none-any.whl"


class TwoWheels(Platform):
    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        write_wheel(folder, "py3-none-any", {})
        return super().build_wheel(folder)


class Hangs(Platform):
    """With a child that does not end when asked to; the numbers of both are left in TINY_NOTES."""

    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        import subprocess

        stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
        command = [sys.executable, "-c", f"import signal, time; {stubborn}"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert child.stdout
        child.stdout.readline()
        draft = Path(NOTES, f".{PYTHON}.draft")
        draft.write_text(f"{os.getpid()} {child.pid}")
        draft.rename(Path(NOTES, f"{PYTHON}.pids"))
        time.sleep(600)
        return ""


class HangsOnce(Platform):
    """For CPython 3.13 only."""

    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        return (Hangs if PYTHON == "cp313" else Platform)().build_wheel(folder)


platform, stable_abi, pure, without_elf = Platform(), StableAbi(), Pure(), WithoutElf()
raises, raises_once, no_wheel, two_wheels = Raises(), RaisesOnce(), NoWheel(), TwoWheels()
hangs, hangs_once = Hangs(), HangsOnce()
dated, placed, random, unordered = Dated(), Placed(), Random(), Unordered()
stable_abi_since_312, for_any_python = StableAbiSince312(), ForAnyPython()
without_elf_for_any_python = WithoutElfForAnyPython()
lacks_an_extension, lacks_all, misses_a_header = LacksAnExtension(), LacksAll(), MissesAHeader()
