"""Links libraries of build requirements: a static one of numpy, and a shared one that pkg-config describes."""
# mypy: ignore-errors

import os
import shlex
import subprocess
from pathlib import Path

import numpy as np
import scipy_openblas32
from setuptools import Extension, setup

described = Path("described").resolve()
described.mkdir(exist_ok=True)
(described / "openblas.pc").write_text(scipy_openblas32.get_pkg_config())
environ = {**os.environ, "PKG_CONFIG_PATH": str(described)}
command = ["/usr/bin/env", "pkg-config", "--cflags", "--libs", "openblas"]
words = shlex.split(subprocess.check_output(command, env=environ, text=True))
compiling = [word for word in words if word.startswith(("-I", "-D"))]
headers = Path(np.get_include())

setup(
    ext_modules=[
        Extension(
            "links_static",
            ["links_static.c"],
            include_dirs=[str(headers)],
            library_dirs=[str(headers.parent / "lib")],
            libraries=["npymath", "m"],
        ),
        Extension(
            "links_shared",
            ["links_shared.c"],
            extra_compile_args=compiling,
            extra_link_args=[word for word in words if word not in compiling],
        ),
    ]
)
