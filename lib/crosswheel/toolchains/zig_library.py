"""Zig's library folder with five changes, so that what it compiles behaves as compiled by gcc.

**libc++ compares types by name**, like gcc's libstdc++. Zig links its libc++ into every shared object. By default that
libc++ compares types by the address of their names, and each shared object has its own copy of a name: Python loads
extensions with RTLD_LOCAL, so the loader does not merge them. An exception from another shared object is then not
caught by its type. libc++ can compare the names themselves ("NonUnique" in its header typeinfo); that is chosen when
libc++ is built.

**Streams read and write as libstdc++'s.** libc++ reads "1.5cm" as no number, for "c" is a digit of some, "0x10" as 16,
and no number so small that it is denormal. It pads no ``true``, and crashes where a text is a null pointer.

**compiler-rt has no functions of the C library.** Zig's compiler-rt is one object, linked as soon as code needs any
function of it, for example for long double on AArch64. It also defines exp, sin, memcpy and others, and these replaced
the C library's in the whole shared object: they set no errno. `std::atomic` of a struct asks for
``__atomic_is_lock_free``, which it has not: modules with such a call could not be imported.

**complex.h has CMPLX.** glibc defines this macro of C11 for gcc 4.7 and newer only, and clang says that it is gcc 4.2.

Zig's own folder stays unchanged. A second folder consists of links to it, with the changed files. With ZIG_LIB_DIR, Zig
compiles both its runtimes and every project from there, so that they agree.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from crosswheel.errors import MissingTool

_TYPEINFO = Path("libcxx", "include", "typeinfo")
_NUMBERS = Path("libcxx", "include", "__locale_dir", "num.h")
_OUTPUT = Path("libcxx", "include", "__ostream", "basic_ostream.h")
_COMPILER_RT = Path("compiler_rt.zig")
_ATOMICS = Path("compiler_rt", "atomics.zig")
_COMPLEX = Path("include", "complex.h")

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

# libc++ takes 0-9, a-f, x, p and their capitals for parts of a number. A second e ends a number, and so does one
# without a digit in front, which may be the one before a decimal point.
_EXPONENT = """\
  auto __is_digit = [](char __c) { return '0' <= __c && __c <= '9'; };
  if (!__is_digit(__x)) {
    bool __has_digit = __a_end != __a && (__is_digit(__a_end[-1]) || (__a_end - __a > 1 && __is_digit(__a_end[-2])));
    if ((__x != 'e' && __x != 'E') || __exp != 'E' || !__has_digit)
      return -1;
  }
"""
_TOO_LARGE = """\
    } else if (__current_errno == ERANGE && (__ld > 1 || __ld < -1)) {
      __err = ios_base::failbit;
      return __ld > 1 ? numeric_limits<_Tp>::max() : numeric_limits<_Tp>::lowest();
    }
"""
_PADDED = """\
  const _CharT *__nb = __nm.data(), *__ne = __nb + __nm.size();
  bool __left = (__iob.flags() & ios_base::adjustfield) == ios_base::left;
  return std::__pad_and_output(__s, __nb, __left ? __ne : __nb, __ne, __iob, __fl);
"""
_PUTS = "  return std::__put_character_sequence(__os, __str, _Traits::length(__str));\n"
_NO_TEXT = "  if (!__str) {\n    __os.setstate(ios_base::badbit);\n    return __os;\n  }\n"

_IN_LIBC = """\
fn isInLibc(comptime name: []const u8) bool {
    @setEvalBranchQuota(100_000);
    inline for (.{
        "ceil", "cos",   "exp", "exp2", "fabs",  "floor", "fma", "fmax",   "fmin", "fmod",
        "log",  "log10", "log2", "round", "sin", "sincos", "sqrt", "tan",   "trunc",
    }) |function| {
        inline for (.{ "", "f", "l" }) |width| if (std.mem.eql(u8, name, function ++ width)) return true;
    }
    inline for (.{ "memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen" }) |function|
        if (std.mem.eql(u8, name, function)) return true;
    return false;
}

"""

# Code asks for sizes that its compiler does not know to have instructions for.
_LOCK_FREE = """\
fn __atomic_is_lock_free(size: usize, address: usize) callconv(.c) bool {
    return size <= largest_atomic_size and @popCount(size) == 1 and address % size == 0;
}

"""

# By file, texts that occur once in it, and their replacements.
_CHANGES = {
    _TYPEINFO: (
        (
            "#          define _LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION 1\n",
            "#          define _LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION 2\n",
        ),
        ("struct __non_unique_impl ", _COMPARE + "struct __non_unique_impl "),
        ("__builtin_strcmp(__lhs, __rhs) == 0", "__compare_names(__lhs, __rhs) == 0"),
        ("__builtin_strcmp(__lhs, __rhs) < 0", "__compare_names(__lhs, __rhs) < 0"),
    ),
    _NUMBERS: (
        ("#include <ios>\n", "#include <ios>\n#include <limits>\n"),
        (
            "  if (__x == 'x' || __x == 'X')\n    __exp = 'P';\n  else if (std::toupper(__x) == __exp) {\n",
            _EXPONENT + "  if (std::toupper(__x) == __exp) {\n",
        ),
        ("    } else if (__current_errno == ERANGE)\n      __err = ios_base::failbit;\n", _TOO_LARGE),
        ("  return std::copy(__nm.begin(), __nm.end(), __s);\n", _PADDED),
    ),
    _OUTPUT: tuple(
        (f"{given} __str) {{\n{_PUTS}", f"{given} __str) {{\n{_NO_TEXT}{_PUTS}")
        for given in (
            "operator<<(basic_ostream<_CharT, _Traits>& __os, const _CharT*",
            "operator<<(basic_ostream<char, _Traits>& __os, const char*",
        )
    ),
    _ATOMICS: (
        ("comptime {\n    if (supports", _LOCK_FREE + "comptime {\n    if (supports"),
        (
            '        symbol(&__atomic_load, "__atomic_load");\n',
            (
                '        symbol(&__atomic_is_lock_free, "__atomic_is_lock_free");\n'
                '        symbol(&__atomic_load, "__atomic_load");\n'
            ),
        ),
    ),
    _COMPILER_RT: (
        ("pub inline fn symbol(", _IN_LIBC + "pub inline fn symbol("),
        (
            "if (!builtin.is_test) @export(func, .{",
            "if (!builtin.is_test and !comptime isInLibc(name)) @export(func, .{",
        ),
    ),
}

# clang finds its own headers before those of the C library.
_ADDED = {
    _COMPLEX: """\
#include_next <complex.h>
#if !defined(CMPLX) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define CMPLX(real, imaginary) __builtin_complex((double)(real), (double)(imaginary))
#define CMPLXF(real, imaginary) __builtin_complex((float)(real), (float)(imaginary))
#define CMPLXL(real, imaginary) __builtin_complex((long double)(real), (long double)(imaginary))
#endif
"""
}

HEADERS = tuple(map(str, _ADDED))
"""The headers that clang's own folder lacks, relative to the library folder."""

VERSION = hashlib.sha256(repr((_CHANGES, _ADDED)).encode()).hexdigest()[:12]
"""A hash of the changes: objects compiled with different ones must not be mixed."""


def make_library_folder(original: Path, place: Path) -> None:
    """Make the library folder at `place`, completely or not at all. Raises MissingTool for an unknown Zig."""
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        draft = Path(folder, place.name)
        _link_around(original, draft, place, {*_CHANGES, *_ADDED})
        for path in _CHANGES:
            (draft / path).write_text(_changed(original, path), encoding="utf-8")
        for path, text in _ADDED.items():
            (draft / path).write_text(text, encoding="utf-8")
        draft.rename(place)


def _link_around(original: Path, draft: Path, place: Path, own: Iterable[Path]) -> None:
    """Link everything except our `own` files and their parent folders; the links are correct once it is at `place`."""
    draft.mkdir()
    inside: dict[str, set[Path]] = {}
    for path in own:
        inside.setdefault(path.parts[0], set()).update({Path(*path.parts[1:])} if path.parts[1:] else ())
    for entry in original.iterdir():
        if entry.name not in inside:
            (draft / entry.name).symlink_to(os.path.relpath(entry, place))
    for name, paths in inside.items():
        if paths:
            _link_around(original / name, draft / name, place / name, paths)


def _changed(original: Path, path: Path) -> str:
    text = (original / path).read_text(encoding="utf-8")
    for old, new in _CHANGES[path]:
        if text.count(old) != 1:
            raise MissingTool(f"{original / path} has unexpected content: {old.strip()!r} is missing or occurs twice")
        text = text.replace(old, new)
    return text
