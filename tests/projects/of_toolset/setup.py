"""C++ that is newer than the libstdc++ of the image's system, and OpenMP."""
# mypy: ignore-errors

from setuptools import Extension, setup

OPENMP = ["-fopenmp"]

setup(
    ext_modules=[
        Extension("of_toolset_cxx", ["cxx.cpp"], define_macros=[("_GLIBCXX_ASSERTIONS", None)]),
        Extension("of_toolset_openmp", ["openmp.c"], extra_compile_args=OPENMP, extra_link_args=OPENMP),
    ],
)
