"""Zig's libraries with our changes: five files are others, one is added, everything else is a link."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from crosswheel.errors import MissingTool
from crosswheel.system.locks import user_cache
from crosswheel.toolchains import zig_library
from crosswheel.toolchains.zig import libraries_of, objects_of, program_path

# As much of the header as is changed.
HEADER = """\
#          define _LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION 1
struct __non_unique_impl : __string_impl_base {
  static bool __eq(const char* __lhs, const char* __rhs) {
    return __lhs == __rhs || __builtin_strcmp(__lhs, __rhs) == 0;
  }
  static bool __lt(const char* __lhs, const char* __rhs) {
    return __builtin_strcmp(__lhs, __rhs) < 0;
  }
};
"""

# A C++ compiler of this machine compares names with the functions that go into the header.
_COMPARES = """
#define _LIBCPP_HIDE_FROM_ABI
#define _NOEXCEPT noexcept
struct __string_impl_base {{}};
{functions}
#include <cstdio>
#include <cstring>
int main(int count, char** names) {{
  char copy[100];  // of another address, as the name of the same type in another shared object
  for (int i = 1; i < count; i++) {{
    std::strcpy(copy, names[i]);
    bool below = __non_unique_impl::__lt(copy, names[i]), above = __non_unique_impl::__lt(names[i], copy);
    bool same = __non_unique_impl::__eq(copy, names[i]) && __non_unique_impl::__eq(names[i], names[i]);
    std::puts(below != above ? "apart" : same && !below ? "same" : "unordered");
  }}
}}
"""


# As much of compiler-rt as is changed.
COMPILER_RT = """\
pub inline fn symbol(comptime func: *const anyopaque, comptime name: []const u8) void {
    if (!builtin.is_test) @export(func, .{
"""
# As much of libc++'s streams as is changed.
NUMBERS = """\
#include <ios>
  if (__x == 'x' || __x == 'X')
    __exp = 'P';
  else if (std::toupper(__x) == __exp) {
    } else if (__current_errno == ERANGE)
      __err = ios_base::failbit;
  return std::copy(__nm.begin(), __nm.end(), __s);
"""
OUTPUT = """\
operator<<(basic_ostream<_CharT, _Traits>& __os, const _CharT* __str) {
  return std::__put_character_sequence(__os, __str, _Traits::length(__str));
}
basic_ostream<char, _Traits>& operator<<(basic_ostream<char, _Traits>& __os, const char* __str) {
  return std::__put_character_sequence(__os, __str, _Traits::length(__str));
}
"""
ATOMICS = """\
comptime {
    if (supports_atomic_ops and builtin.object_format != .c) {
        symbol(&__atomic_load, "__atomic_load");
"""
CONTENTS = {
    Path("libcxx/include/typeinfo"): HEADER,
    Path("libcxx/include/__locale_dir/num.h"): NUMBERS,
    Path("libcxx/include/__ostream/basic_ostream.h"): OUTPUT,
    Path("compiler_rt.zig"): COMPILER_RT,
    Path("compiler_rt/atomics.zig"): ATOMICS,
}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    folder = tmp_path / "ziglang" / "lib"
    for name in (
        "libc/include/stdio.h",
        "libcxx/src/string.cpp",
        "libcxx/include/string",
        "libcxx/include/ext/hash",
        "include/stddef.h",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for path, text in CONTENTS.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


def test_five_files_are_changed_and_the_originals_are_not(original: Path, tmp_path: Path) -> None:
    zig_library.make_library_folder(original, tmp_path / "lib")
    files = {path.relative_to(original) for path in original.rglob("*") if path.is_file()}
    for file in files - {*CONTENTS}:
        assert (tmp_path / "lib" / file).resolve() == original / file
    changed = (tmp_path / "lib" / "libcxx/include/typeinfo").read_text()
    assert "_LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION 2" in changed
    assert "!comptime isInLibc(name)" in (tmp_path / "lib" / "compiler_rt.zig").read_text()
    assert "'P'" not in (tmp_path / "lib" / "libcxx/include/__locale_dir/num.h").read_text()
    assert (tmp_path / "lib" / "libcxx/include/__ostream/basic_ostream.h").read_text().count("badbit") == 2
    assert (tmp_path / "lib" / "compiler_rt/atomics.zig").read_text().count("__atomic_is_lock_free") == 3
    assert {path: (original / path).read_text() for path in CONTENTS} == CONTENTS
    assert "CMPLX" in (tmp_path / "lib" / "include" / "complex.h").read_text()
    assert not (original / "include" / "complex.h").exists()


def test_the_folder_can_be_moved_together_with_the_original(original: Path, tmp_path: Path) -> None:
    zig_library.make_library_folder(original, tmp_path / "lib")
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert (moved / "lib/libcxx/include/ext/hash").read_text() == "libcxx/include/ext/hash"


def test_another_header_than_the_known_one_is_an_error_and_leaves_nothing(original: Path, tmp_path: Path) -> None:
    (original / "libcxx/include/typeinfo").write_text(HEADER.replace("< 0", "== -1"))
    with pytest.raises(MissingTool, match="typeinfo has unexpected content"):
        zig_library.make_library_folder(original, tmp_path / "lib")
    assert [path.name for path in tmp_path.iterdir()] == ["ziglang"]


def test_names_of_types_that_are_local_to_a_file_are_told_apart_as_by_gcc(original: Path, tmp_path: Path) -> None:
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler on this machine")
    zig_library.make_library_folder(original, tmp_path / "lib")
    source = tmp_path / "compares.cpp"
    source.write_text(_COMPARES.format(functions=(tmp_path / "lib/libcxx/include/typeinfo").read_text()))
    subprocess.run([compiler, str(source), "-o", str(tmp_path / "compares")], check=True, timeout=120)
    names = {
        "St16invalid_argument": "same",
        "i": "same",
        "N7project5ErrorE": "same",
        "N12_GLOBAL__N_15StateE": "apart",
        "St6vectorIN7project12_GLOBAL__N_15StateESaIS2_EE": "apart",
        "ZL3runvE5State": "apart",
        "Z3runvE5State": "same",
    }
    command = [str(tmp_path / "compares"), *names]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    assert dict(zip(names, told, strict=True)) == names


def test_zigs_own_header_is_the_known_one(tmp_path: Path) -> None:
    original = program_path(user_cache(os.environ)).with_name("lib")
    if not original.is_dir():
        pytest.skip("no Zig in the cache: the first cross build fetches it")
    zig_library.make_library_folder(original, tmp_path / "lib")
    assert (tmp_path / "lib" / "std" / "std.zig").is_file()


def test_what_was_compiled_with_another_libcxx_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = libraries_of(tmp_path), objects_of(tmp_path)
    monkeypatch.setattr(zig_library, "VERSION", "another")
    assert not {libraries_of(tmp_path), objects_of(tmp_path)} & set(before)
