"""What config.site answers is what a configure script finds that runs its programs: here, with Debian's autoconf."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from crosswheel.model.targets import load_table
from debian import DebianUnavailable, unpacked

pytestmark = [pytest.mark.slow, pytest.mark.debian]

# Every macro of autoconf 2.71 that runs a program.
_CONFIGURE = """\
AC_INIT([asks], [1.0])
AC_CONFIG_HEADERS([config.h])
AC_PROG_CC
AC_USE_SYSTEM_EXTENSIONS
AC_C_BIGENDIAN
AC_FUNC_CHOWN
AC_FUNC_CLOSEDIR_VOID
AC_FUNC_FNMATCH
AC_FUNC_FNMATCH_GNU
AC_FUNC_FORK
AC_FUNC_GETGROUPS
AC_FUNC_GETPGRP
AC_FUNC_LSTAT
AC_FUNC_LSTAT_FOLLOWS_SLASHED_SYMLINK
AC_FUNC_MALLOC
AC_FUNC_MEMCMP
AC_FUNC_MKTIME
AC_FUNC_MMAP
AC_FUNC_REALLOC
AC_FUNC_SETPGRP
AC_FUNC_SETVBUF_REVERSED
AC_FUNC_STAT
AC_FUNC_STRCOLL
AC_FUNC_STRNLEN
AC_FUNC_STRTOD
AC_FUNC_UTIME_NULL
AC_FUNC_WAIT3
m4_pushdef([AC_DIAGNOSE])
AC_SYS_RESTARTABLE_SYSCALLS
m4_popdef([AC_DIAGNOSE])
AC_TYPE_GETGROUPS
AC_OUTPUT
"""


@pytest.fixture(scope="module")
def autoconf(debian_cache: Path) -> Path:
    if platform.machine() != "x86_64":
        pytest.skip("Debian's m4 for x86_64 runs on such machines only")
    for program in ("cc", "perl"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine")
    try:
        return unpacked("amd64", ("autoconf", "autotools-dev", "m4"), "bookworm", debian_cache)
    except DebianUnavailable as error:
        pytest.skip(f"no autoconf: {error}")


def test_config_site_answers_what_configure_finds(autoconf: Path, tmp_path: Path) -> None:
    (tmp_path / "configure.ac").write_text(_CONFIGURE)
    for name in ("config.guess", "config.sub"):
        shutil.copy(autoconf / "usr/share/misc" / name, tmp_path)
    (tmp_path / "install-sh").touch()
    environ = {**tools(autoconf, tmp_path), "PATH": os.environ["PATH"]}
    for command in (["autoconf"], ["autoheader"]):
        program = autoconf / "usr/bin" / command[0]
        subprocess.run([str(program)], cwd=tmp_path, env=environ, check=True, timeout=300, capture_output=True)
    script = ["./configure", "--quiet", "--cache-file=found"]
    subprocess.run(script, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, check=True, timeout=600, capture_output=True)
    found = dict(re.findall(r"^(\w+)=\$\{\1=(.*)\}$", (tmp_path / "found").read_text(), re.MULTILINE))
    table = load_table("answers.toml")["autoconf"]
    answers = {**table["any"], **table["glibc"]}
    assert {name: found.get(name) for name in answers} == answers


def tools(root: Path, folder: Path) -> Mapping[str, str]:
    """The variables with which autoconf runs out of the folder that it was unpacked into."""
    share, programs = root / "usr/share/autoconf", root / "usr/bin"
    settings = (share / "autom4te.cfg").read_text().replace("/usr/share/autoconf", str(share))
    (folder / "autom4te.cfg").write_text(settings)
    return {
        "AUTOM4TE": str(programs / "autom4te"),
        "AUTOM4TE_CFG": str(folder / "autom4te.cfg"),
        "AUTOCONF": str(programs / "autoconf"),
        "M4": str(programs / "m4"),
        "AC_MACRODIR": str(share),
        "autom4te_perllibdir": str(share),
        "trailer_m4": str(share / "autoconf" / "trailer.m4"),
    }
