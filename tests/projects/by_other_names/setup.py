"""An extension of parts that c99, cpp and as make, called by a Makefile that names no compiler of its own."""
# mypy: ignore-errors

import subprocess

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class AfterMake(build_ext):
    def run(self):
        subprocess.check_call(["make", "libparts.a"])  # noqa: S607
        super().run()


setup(
    name="by_other_names",
    version="1.0",
    ext_modules=[Extension("by_other_names", ["by_other_names.c"], extra_objects=["libparts.a"])],
    cmdclass={"build_ext": AfterMake},
)
