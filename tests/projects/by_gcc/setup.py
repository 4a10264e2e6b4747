"""Needs what clang has not: OpenMP, Fortran and a nested function; and runs a generator that it has compiled."""
# mypy: ignore-errors

import subprocess

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

OPENMP = ["-fopenmp"]


class Make(build_ext):
    """The Makefile first."""

    def run(self):
        subprocess.run(["/usr/bin/make"], check=True)
        super().run()


setup(
    packages=["by_gcc"],
    package_dir={"": "src"},
    cmdclass={"build_ext": Make},
    ext_modules=[
        Extension("by_gcc._plain", ["_plain.c"]),
        Extension("by_gcc._openmp", ["_openmp.c"], extra_compile_args=OPENMP, extra_link_args=OPENMP),
        Extension("by_gcc._nested", ["_nested.c"]),
        Extension("by_gcc._fortran", ["_fortran.c"], extra_objects=["square.o"], libraries=["gfortran"]),
    ],
)
