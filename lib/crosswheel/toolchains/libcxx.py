"""Zig's library folder with a libc++ that compares types by name, like gcc's libstdc++.

Zig links its libc++ into every shared object. By default that libc++ compares types by the address of their names, and
each shared object has its own copy of a name: Python loads extensions with RTLD_LOCAL, so the loader does not merge
them. An exception from another shared object is then not caught by its type. libc++ can compare the names themselves
("NonUnique" in its header typeinfo); that is chosen when libc++ is built.

Zig's own folder stays unchanged. A second folder consists of links to it, with that one header changed. With
ZIG_LIB_DIR, Zig compiles both its runtimes and every project from there, so that they agree.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from crosswheel.errors import MissingTool

_HEADER = Path("libcxx", "include", "typeinfo")

# Types in unnamed namespaces and static functions may have the same name in two source files, but are different types.
# gcc marks their names and compares those by address. clang does not mark them, but they are recognisable by name.
_COMPARE = """\
_LIBCPP_HIDE_FROM_ABI inline bool __is_internal(const char* __name) _NOEXCEPT {
  if (__name[0] == 'Z' && __name[1] == 'L')
    return true;
  for (; *__name; ++__name)
    if (__builtin_strncmp(__name, "_GLOBAL__N_", 11) == 0)
      return true;
  return false;
}
_LIBCPP_HIDE_FROM_ABI inline int __compare_names(const char* __lhs, const char* __rhs) _NOEXCEPT {
  int __order = __builtin_strcmp(__lhs, __rhs);
  return __order || !__is_internal(__lhs) ? __order : __lhs < __rhs ? -1 : __lhs > __rhs;
}

"""

# Texts that occur once in the header, and their replacements.
_CHANGES = (
    (
        "#          define _LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION 1\n",
        "#          define _LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION 2\n",
    ),
    ("struct __non_unique_impl ", _COMPARE + "struct __non_unique_impl "),
    ("__builtin_strcmp(__lhs, __rhs) == 0", "__compare_names(__lhs, __rhs) == 0"),
    ("__builtin_strcmp(__lhs, __rhs) < 0", "__compare_names(__lhs, __rhs) < 0"),
)

VERSION = hashlib.sha256(repr(_CHANGES).encode()).hexdigest()[:12]
"""A hash of the changes: objects compiled with different ones must not be mixed."""


def make_library_folder(original: Path, place: Path) -> None:
    """Make the library folder at `place`, completely or not at all."""
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        draft = Path(folder, place.name)
        _link_around(original, draft, place, _HEADER)
        (draft / _HEADER).write_text(_changed(original / _HEADER), encoding="utf-8")
        draft.rename(place)


def _link_around(original: Path, draft: Path, place: Path, changed: Path) -> None:
    """Link everything except `changed` and its parent folders; the links are correct once the draft is at `place`."""
    draft.mkdir()
    first, *rest = changed.parts
    for entry in original.iterdir():
        if entry.name != first:
            (draft / entry.name).symlink_to(os.path.relpath(entry, place))
    if rest:
        _link_around(original / first, draft / first, place / first, Path(*rest))


def _changed(header: Path) -> str:
    text = header.read_text(encoding="utf-8")
    for old, new in _CHANGES:
        if text.count(old) != 1:
            raise MissingTool(f"{header} has unexpected content: {old.strip()!r} is missing or occurs twice")
        text = text.replace(old, new)
    return text
