"""A project that counts on what gcc takes, and tells what its compiler made of it."""
# mypy: ignore-errors

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class Probing(build_ext):
    """As numpy's and others' old setup.py: what is there is found by calling it, without any declaration."""

    def build_extension(self, ext: Extension) -> None:
        for function, macro in (("semtimedop", "HAS_SEMTIMEDOP"), ("no_such_function_at_all", "HAS_NONSENSE")):
            if self.compiler.has_function(function):
                ext.define_macros.append((macro, "1"))
        super().build_extension(ext)


extension = Extension(
    "as_by_gcc",
    ["as_by_gcc.c"],
    extra_compile_args=["-include", "settings.h", "-fno-gcse", "-O2"],
    # A script that names a symbol of another Python, and an archive whose symbols stay inside.
    extra_link_args=["-Wl,--version-script=exported.map", "-Wl,--exclude-libs,ALL", "-Wl,-z,muldefs"],
)
setup(name="as_by_gcc", version="1.0", ext_modules=[extension], cmdclass={"build_ext": Probing})
