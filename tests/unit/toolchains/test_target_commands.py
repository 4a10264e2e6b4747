"""uname, arch and others in a build's PATH tell of the target; all else they leave to this machine's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from crosswheel.model.targets import PythonTag, Target, oldest_policy, parse_architecture
from crosswheel.toolchains.commands import python_config_names, write_commands, write_dpkg
from crosswheel.toolchains.inside import python_config

_REAL = """\
#!/bin/sh
case $* in
-s) echo Linux ;;
-n) echo host ;;
-r) echo 6.1.0 ;;
-v) echo '#1 SMP x86_64' ;;
-p) echo {processor} ;;
-o) echo GNU/Linux ;;
*) echo "real {name} $*" ;;
esac
"""


def target_of(arch: str, minor: int = 13, *, free_threaded: bool = False) -> Target:
    architecture = parse_architecture(arch)
    return Target(PythonTag(minor, free_threaded=free_threaded), architecture, oldest_policy(architecture))


class Commands:
    """In `bin`, with commands of "this machine" in another folder of PATH."""

    def __init__(self, folder: Path, arch: str = "aarch64", *, processor: str = "unknown") -> None:
        self.bin, self.own = folder / "the bin", folder / "own"
        self.bin.mkdir(parents=True)
        self.own.mkdir()
        write_commands(self.bin, target_of(arch), Path(sys.executable))
        write_dpkg(self.bin, target_of(arch))
        for name in ("uname", "arch", "getconf", "dpkg", "lscpu"):
            (self.own / name).write_text(_REAL.format(name=name, processor=processor))
            (self.own / name).chmod(0o755)
        self.environ: Mapping[str, str] = {"PATH": f"{self.bin}:{self.own}", "CROSSWHEEL_TARGET": "/target.json"}

    def __call__(self, *words: str, **environ: str) -> str:
        """As a program would start it, that is by name."""
        started = subprocess.run(
            ["/bin/sh", "-c", '"$@"', "sh", *words],
            env={**self.environ, **environ}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return started.stdout.removesuffix("\n")


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("-m", "aarch64"),
        ("--machine", "aarch64"),
        ("-p", "aarch64"),
        ("--processor", "aarch64"),
        ("-i", "aarch64"),
        ("--hardware-platform", "aarch64"),
        ("-ms", "Linux aarch64"),
        ("-m -s", "Linux aarch64"),
        ("--kernel-release -m", "6.1.0 aarch64"),
        ("-vm", "#1 SMP x86_64 aarch64"),
        ("-a", "Linux host 6.1.0 #1 SMP x86_64 aarch64 GNU/Linux"),
        ("--all", "Linux host 6.1.0 #1 SMP x86_64 aarch64 GNU/Linux"),
        ("-mpio", "aarch64 aarch64 aarch64 GNU/Linux"),
        ("", "real uname "),
        ("-s", "Linux"),
        ("-sr", "real uname -sr"),
        ("--version", "real uname --version"),
        ("-mx", "real uname -mx"),
        ("-m more", "real uname -m more"),
        ("--kernel", "real uname --kernel"),
    ],
)
def test_uname_tells_of_the_target(commands: Commands, words: str, answer: str) -> None:
    assert commands("uname", *words.split()) == answer


def test_uname_tells_all_where_the_real_one_does(tmp_path: Path) -> None:
    told = Commands(tmp_path, processor="x86_64")("uname", "-a")
    assert told == "Linux host 6.1.0 #1 SMP x86_64 aarch64 aarch64 aarch64 GNU/Linux"


@pytest.mark.parametrize(
    ("command", "answers"),
    [
        ("uname -m", {"aarch64": "aarch64", "armv7l": "armv7l", "i686": "i686", "ppc64le": "ppc64le"}),
        ("arch", {"aarch64": "aarch64", "s390x": "s390x"}),
        ("getconf LONG_BIT", {"aarch64": "64", "armv7l": "32", "i686": "32"}),
        ("dpkg --print-architecture", {"aarch64": "arm64", "armv7l": "armhf", "riscv64": "riscv64"}),
    ],
)
def test_every_architecture_has_its_answer(tmp_path: Path, command: str, answers: dict[str, str]) -> None:
    told = {arch: Commands(tmp_path / arch, arch)(*command.split()) for arch in answers}
    assert told == answers


@pytest.mark.parametrize(
    ("arch", "order", "flags"),
    [("aarch64", "Little", "fp asimd"), ("s390x", "Big", "esan3 zarch"), ("ppc64le", "Little", "")],
)
def test_lscpu_tells_of_the_targets_processors(tmp_path: Path, arch: str, order: str, flags: str) -> None:
    told = Commands(tmp_path, arch)("lscpu")
    rows = {name: value.strip() for name, _, value in (line.partition(":") for line in told.splitlines())}
    assert (rows["Architecture"], rows["Byte Order"], rows["Flags"]) == (arch, f"{order} Endian", flags)


@pytest.mark.parametrize(
    "command", ["arch --help", "lscpu --json", "getconf PAGE_SIZE", "dpkg --status zlib1g", "uname -n -o"]
)
def test_all_else_is_asked_of_this_machines_own(commands: Commands, command: str) -> None:
    name, _, words = command.partition(" ")
    assert commands(name, *words.split()) == f"real {name} {words}"


@pytest.mark.parametrize("path", ["{bin}:{own}", "{own}:{bin}", "/nowhere:{bin}:{own}", "{bin}:{bin}:{own}"])
def test_without_a_target_this_machine_answers(commands: Commands, path: str) -> None:
    environ = {"PATH": path.format(bin=commands.bin, own=commands.own), "CROSSWHEEL_TARGET": ""}
    assert commands("uname", "-m", **environ) == "real uname -m"
    assert commands("arch", **environ) == "real arch "


def test_what_this_machine_has_not_is_not_found(commands: Commands, tmp_path: Path) -> None:
    command = [str(commands.bin / "dpkg"), "--status", "zlib1g"]
    environ = {"PATH": f"{commands.bin}:{tmp_path}", "CROSSWHEEL_TARGET": "/target.json"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 127


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_any_shell_will_do(commands: Commands, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} on this machine")
    command = [program, *(["sh"] if shell == "busybox" else []), str(commands.bin / "uname"), "-sm"]
    done = subprocess.run(command, env=commands.environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "Linux aarch64\n"


def test_python_config_has_the_names_that_builds_call() -> None:
    assert set(python_config_names(target_of("aarch64"))) == {
        "python-config", "python3-config", "python3.13-config", "aarch64-linux-gnu-python3.13-config",
    }  # fmt: skip
    assert {"python3.13-config", "python3.13t-config"} < set(
        python_config_names(target_of("aarch64", free_threaded=True))
    )


def test_python_config_tells_what_sysconfig_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"INCLUDEPY": "/t/include", "CONFINCLUDEPY": "/t/include", "CFLAGS": "-O3 -Wall", "EXT_SUFFIX": ".target.so"}
    libraries = {"LIBS": "-lpthread -ldl", "SYSLIBS": "-lm", "LIBPL": "/t/config", "LIBDIR": "/t/lib"}
    for name, value in {**told, **libraries, "VERSION": "3.13"}.items():
        monkeypatch.setitem(sysconfig.get_config_vars(), name, value)
    monkeypatch.setattr(sys, "abiflags", "t")
    assert python_config.main("--extension-suffix", "--includes", "--cflags", "--embed", "--libs", "--ldflags") == 0
    assert capsys.readouterr().out.splitlines() == [
        ".target.so",
        "-I/t/include -I/t/include",
        "-I/t/include -I/t/include -O3 -Wall",
        "-lpython3.13t -lpthread -ldl -lm",
        "-L/t/config -L/t/lib -lpython3.13t -lpthread -ldl -lm",
    ]


def test_python_config_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert python_config.main("--everything") == 1
    assert python_config.main() == 1
    assert python_config.main("--help") == 0
    assert "--extension-suffix" in capsys.readouterr().err


def test_commands_of_build_requirements_are_those_of_the_build_environment(commands: Commands) -> None:
    link = commands.bin / "numpy-config"
    assert link.readlink() == Path(sys.executable).parent / "numpy-config"
    assert os.access(link, os.X_OK) == link.readlink().exists()
