from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from crosswheel.auditing.policies import Upgrade, analyses
from crosswheel.formats.wheels import read_wheel
from crosswheel.testing import tiny_elf, tiny_wheel

TAG = "cp313-cp313-manylinux_2_28_aarch64"
EXTENSION = "fast.cpython-313-aarch64-linux-gnu.so"
VERSIONS = {"libc.so.6": ["GLIBC_2.17", "GLIBC_2.26"], "ld-linux-aarch64.so.1": ["GLIBC_2.17"]}


def made(folder: Path, tag: str = TAG, name: str = EXTENSION, **elf: object) -> Path:
    return tiny_wheel(folder, tag=tag, members={name: tiny_elf(exports=["PyInit_fast"], **elf)})  # type: ignore[arg-type]


def test_the_oldest_policy_that_a_wheel_keeps(tmp_path: Path) -> None:
    (found,) = analyses(read_wheel(made(tmp_path, needed=["libc.so.6"], versions_needed=VERSIONS)))
    assert (found.overall_tag, found.sym_tag) == ("manylinux_2_26_aarch64", "manylinux_2_26_aarch64")
    assert found.versioned_symbols == {"libc.so.6": ("GLIBC_2.17", "GLIBC_2.26")}
    assert (found.external_libs, found.policy_upgrades) == ((), {})


def test_a_library_of_nobody_leaves_linux_only(tmp_path: Path) -> None:
    (found,) = analyses(read_wheel(made(tmp_path, needed=["libfoo.so.1", "libc.so.6"], versions_needed=VERSIONS)))
    assert (found.overall_tag, found.sym_tag) == ("linux_aarch64", "manylinux_2_26_aarch64")
    assert found.external_libs == ("libfoo.so.1",)
    assert found.policy_upgrades["manylinux_2_28_aarch64"] == Upgrade(("libfoo.so.1",), {})


def test_a_library_inside_is_not_external(tmp_path: Path) -> None:
    members = {
        EXTENSION: tiny_elf(exports=["PyInit_fast"], needed=["libfoo.so.1"]),
        "tiny.libs/libfoo-1.so": tiny_elf(soname="libfoo.so.1"),
    }
    (found,) = analyses(read_wheel(tiny_wheel(tmp_path, tag=TAG, members=members)))
    assert (found.overall_tag, found.external_libs) == ("manylinux_2_17_aarch64", ())


def test_a_forbidden_symbol_stands_in_the_way(tmp_path: Path) -> None:
    (found,) = analyses(read_wheel(made(tmp_path, needed=["libz.so.1"], undefined=["crc32_combine_op"])))
    assert found.overall_tag != "manylinux_2_17_aarch64"
    assert found.policy_upgrades["manylinux_2_17_aarch64"].blacklisted_symbols == {"libz.so.1": ("crc32_combine_op",)}


def test_newer_processors_and_fpectl_keep_no_policy(tmp_path: Path) -> None:
    newer = made(
        tmp_path,
        tag="cp313-cp313-manylinux_2_28_x86_64",
        name="fast.cpython-313-x86_64-linux-gnu.so",
        machine="EM_X86_64",
        x86_level=3,
        undefined=["PyFPE_jbuf"],
    )
    (found,) = analyses(read_wheel(newer))
    assert (found.overall_tag, found.unsupported_isa, found.pyfpe) == ("linux_x86_64", True, True)


def test_one_for_each_c_library(tmp_path: Path) -> None:
    both = made(tmp_path, tag="py3-none-manylinux_2_17_aarch64.musllinux_1_2_aarch64", name="tiny/lib.so")
    assert [found.overall_tag for found in analyses(read_wheel(both))] == [
        "manylinux_2_17_aarch64",
        "musllinux_1_2_aarch64",
    ]
    assert not list(analyses(read_wheel(tiny_wheel(tmp_path))))


def test_it_is_plain_data(tmp_path: Path) -> None:
    (found,) = analyses(read_wheel(made(tmp_path)))
    assert set(asdict(found)) >= {"overall_tag", "sym_tag", "versioned_symbols", "external_libs", "policy_upgrades"}
