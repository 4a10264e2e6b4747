"""Reading pyconfig.h, and which of its macros change what a compiler makes of Python.h."""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# By the beginnings of their names. The rest tells what the standard library was built with.
_LAYOUT = (
    "SIZEOF_", "ALIGNOF_", "DOUBLE_IS_", "FLOAT_WORDS_", "WORDS_", "HAVE_LONG_DOUBLE", "HAVE_GCC_", "HAVE_BUILTIN_",
    "HAVE_STD_ATOMIC", "HAVE_DYNAMIC_LOADING", "HAVE_STDINT_H", "HAVE_INTTYPES_H", "HAVE_SSIZE_T", "HAVE_WCHAR_H",
    "PY_FORMAT_", "Py_DEBUG", "Py_GIL_DISABLED", "Py_TRACE_REFS", "Py_REF_DEBUG", "WITH_PYMALLOC", "WITH_DOC_STRINGS",
    "_FILE_OFFSET_BITS", "_LARGEFILE_SOURCE", "PTHREAD_SYSTEM_SCHED_SUPPORTED", "SIGNED_RIGHT_SHIFT_ZERO_FILLS",
)  # fmt: skip


def macros(pyconfig: Path) -> dict[str, Any]:
    with pyconfig.open(encoding="utf-8") as file:
        return sysconfig.parse_config_h(file)


def layout(found: Mapping[str, Any]) -> dict[str, Any]:
    """The macros that matter, but for those that are not defined: releases differ in which they test for."""
    return {name: value for name, value in found.items() if name.startswith(_LAYOUT) and value}
