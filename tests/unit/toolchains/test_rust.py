"""What Cargo and its build scripts are told of a target, and what PyO3 is told of its CPython."""

from __future__ import annotations

import ast
import json
import platform
from pathlib import Path

import pytest

from crosswheel.model.targets import parse_target
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.rust import cargo_environ, pyo3_environ, rust_target


@pytest.mark.parametrize(
    ("target", "triple"),
    [
        ("cp313-manylinux2014_aarch64", "aarch64-unknown-linux-gnu"),
        ("cp313-musllinux_1_2_aarch64", "aarch64-unknown-linux-musl"),
        ("cp313-manylinux_2_31_armv7l", "armv7-unknown-linux-gnueabihf"),
        ("cp313-manylinux2014_ppc64le", "powerpc64le-unknown-linux-gnu"),
        ("cp313-manylinux_2_39_riscv64", "riscv64gc-unknown-linux-gnu"),
    ],
)
def test_targets_have_the_names_that_rustup_knows(target: str, triple: str) -> None:
    assert rust_target(parse_target(target)) == triple


def test_the_target_and_this_machine_have_compilers_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    environ = cargo_environ(parse_target("cp313-manylinux2014_aarch64"), Path("/bin"))
    assert environ["CARGO_BUILD_TARGET"] == "aarch64-unknown-linux-gnu"
    for kind, its, ours in (
        ("CARGO_TARGET_{}_LINKER", "cc", "build-cc"),
        ("CC_{}", "cc", "build-cc"),
        ("CXX_{}", "c++", "build-c++"),
        ("AR_{}", "ar", "ar"),
    ):
        names = [kind.format(triple) for triple in ("aarch64_unknown_linux_gnu", "x86_64_unknown_linux_gnu")]
        its_name, our_name = (name.upper() if kind.startswith("CARGO") else name for name in names)
        assert (environ[its_name], environ[our_name]) == (f"/bin/{its}", f"/bin/{ours}")


def test_for_this_machine_itself_the_policy_compiler_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    environ = cargo_environ(parse_target("cp313-manylinux2014_x86_64"), Path("/bin"))
    assert environ["CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER"] == "/bin/cc"


@pytest.mark.parametrize(("tag", "version"), [("cp313", "3.13"), ("cp313t", "3.13t")])
def test_pyo3_reads_the_described_cpython(tag: str, version: str, tmp_path: Path) -> None:
    target = parse_target(f"{tag}-manylinux2014_aarch64")
    path = tmp_path / "target.json"
    path.write_text(json.dumps({"vars": {"EXT_SUFFIX": target.ext_suffix, "SIZEOF_VOID_P": 8}}))
    environ = pyo3_environ(target, Description(path, tmp_path, ()), tmp_path / "pyo3")
    assert environ == {"PYO3_CROSS_LIB_DIR": str(tmp_path / "pyo3"), "PYO3_CROSS_PYTHON_VERSION": version}
    (written,) = (tmp_path / "pyo3").iterdir()
    told = ast.literal_eval(written.read_text().removeprefix("build_time_vars = "))
    assert told == {
        "EXT_SUFFIX": target.ext_suffix,
        "SIZEOF_VOID_P": 8,
        "VERSION": "3.13",
        "LDVERSION": version,
        "ABIFLAGS": "t" if tag.endswith("t") else "",
    }
