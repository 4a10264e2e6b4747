"""A project whose Makefile runs the generator that it has just compiled, and whose setup.py runs a test program."""
# mypy: ignore-errors

import os
import subprocess
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class MakeAndBuild(build_ext):
    def run(self) -> None:
        subprocess.run(["/usr/bin/make", "generated.h"], check=True)
        Path("probe.c").write_text("int main(void) { return (char)-1 < 0; }\n")
        subprocess.run([os.environ["CC"], "probe.c", "-o", "probe"], check=True)
        found = subprocess.run([str(Path("probe").absolute())], check=False).returncode
        self.extensions[0].define_macros.append(("FOUND", str(found)))
        super().run()


setup(
    name="runs_by_make",
    version="1.0",
    py_modules=[],
    ext_modules=[Extension("runs_by_make", ["runs_by_make.c"], include_dirs=["."])],
    cmdclass={"build_ext": MakeAndBuild},
)
