"""A PEP 517 backend that needs nothing installed and really compiles, by the compiler that PATH has.

TINY_SOURCE names the file, TINY_FLAGS what the compiler is told besides; what the backend sees goes to its output.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import tiny_backend  # type: ignore[import-not-found]

SOURCE = os.environ.get("TINY_SOURCE", "fast.c")
FLAGS = shlex.split(os.environ.get("TINY_FLAGS", ""))
tiny_backend.PKG_INFO += "Provides-Extra: tests\nRequires-Dist: packaging; extra == 'tests'\n"


class Compiles(tiny_backend.Platform):  # type: ignore[misc]
    tag = "cp{0}{1}-cp{0}{1}-{2}".format(*sys.version_info[:2], sysconfig.get_platform().replace("-", "_"))

    def members(self) -> dict[str, bytes]:
        for name, value in sorted(os.environ.items()):
            sys.stdout.write(f"sees {name}={value}\n")
        sys.stdout.flush()
        made = f"fast{sysconfig.get_config_var('EXT_SUFFIX')}"
        compiler = "c++" if SOURCE.endswith(".cpp") else "cc"
        include = f"-I{sysconfig.get_path('include')}"
        # A debugger's information is asked for as setuptools does, whether or not anybody wants it.
        command = [compiler, "-shared", "-fPIC", "-O1", "-g", include, SOURCE, "-o", made, *FLAGS]
        subprocess.run(command, check=True)
        return {made: Path(made).read_bytes()}


backend = Compiles()
