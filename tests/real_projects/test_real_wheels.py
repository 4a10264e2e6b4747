"""Real wheels of every architecture: an audit says of them what is true, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from crosswheel.auditing.run import audit_files
from crosswheel.errors import IndexUnreachable
from crosswheel.model.targets import architectures
from frugality import READERS, frugally
from real_wheels import download, fetched, pinned

# pxr/Gf/_gf.so and so on.
USD = (
    *(
        [
            "Ar",
            "Gf",
            "Kind",
            "Pcp",
            "Plug",
            "Sdf",
            "Sdr",
            "Tf",
            "Trace",
            "Ts",
            "Usd",
            "UsdGeom",
            "UsdHydra",
            "UsdLod",
            "UsdLux",
            "UsdMedia",
            "UsdPhysics",
        ]
    ),
    *(
        [
            "UsdProc",
            "UsdProfiles",
            "UsdRender",
            "UsdRi",
            "UsdSemantics",
            "UsdShade",
            "UsdSkel",
            "UsdUI",
            "UsdUtils",
            "UsdValidation",
        ]
    ),
    *(["UsdVol", "Vt", "Work"]),
)

# Each was looked at by hand; docs/true-errors.md has the evidence.
TRUE_ERRORS = {
    "ai_edge_litert-2.3.0-cp312-cp312-manylinux_2_27_aarch64.whl": {
        ("W402", "ai_edge_litert/libLiteRt.so"),
        ("W402", "ai_edge_litert/libpywrap_litert_common.so"),
    },
    "capstone-5.0.2-py3-none-manylinux1_x86_64.musllinux_1_1_x86_64.whl": {("W403", "capstone/lib/libcapstone.so")},
    "eigenpy-3.5.1-0-cp39-cp39-manylinux_2_28_aarch64.whl": {("W112", "eigenpy-3.5.1.dist-info/METADATA")},
    "filprofiler-2021.11.2-cp37-cp37m-manylinux_2_12_x86_64.manylinux2010_x86_64.whl": {
        ("W304", "filprofiler/_filpreload.cpython-37m-x86_64-linux-gnu.so"),
    },
    "koerce-0.0.6-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl": {
        ("W304", "koerce/builders.cpython-310-x86_64-linux-gnu.so"),
        ("W304", "koerce/patterns.cpython-311-x86_64-linux-gnu.so"),
    },
    "lief-0.17.6-cp313-cp313-manylinux2014_aarch64.whl": {("W402", "lief/_lief.so")},
    "lightgbm-4.7.0-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl": {
        ("W403", "lightgbm/lib/lib_lightgbm.so"),
    },
    "mkl_service-2.8.0-0-cp314-cp314-manylinux_2_28_x86_64.whl": {
        ("W401", "mkl/_mklinit.cpython-314-x86_64-linux-gnu.so"),
        ("W401", "mkl/_py_mkl_service.cpython-314-x86_64-linux-gnu.so"),
    },
    "mpi4py-4.1.2-cp313-cp313t-manylinux2014_aarch64.manylinux_2_17_aarch64.whl": {
        ("W403", "mpi4py/MPI.mpich.cpython-313t-aarch64-linux-gnu.so"),
        ("W403", "mpi4py/MPI.openmpi.cpython-313t-aarch64-linux-gnu.so"),
    },
    "numba-0.68.1rc2-cp313-cp313-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl": {
        ("W403", "numba/np/ufunc/omppool.cpython-313-aarch64-linux-gnu.so"),
    },
    "pymongo-4.9.2-cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64.whl": {
        ("W304", "bson/_cbson.cpython-311-aarch64-linux-gnu.so"),
        ("W304", "pymongo/_cmessage.cpython-311-aarch64-linux-gnu.so"),
    },
    "pyodbc-5.5.0-cp314-cp314-manylinux_2_24_aarch64.manylinux_2_28_aarch64.whl": {
        ("W403", "pyodbc.cpython-314-aarch64-linux-gnu.so"),
    },
    "sdbus-0.14.1-cp39-abi3-manylinux_2_28_aarch64.whl": {("W202", "sdbus/sd_bus_internals.abi3.so")},
    "SudachiPy-0.6.0rc1-cp38-cp38-manylinux_2_5_x86_64.manylinux1_x86_64.manylinux_2_12_x86_64.manylinux2010_x86_64.whl": {  # noqa: E501
        ("W304", "sudachipy/sudachipy.cpython-38-x86_64-linux-gnu.so"),
    },
    "tflite_runtime-2.9.1-cp39-cp39-manylinux2014_aarch64.whl": {
        ("W402", "tflite_runtime/_pywrap_tensorflow_interpreter_wrapper.so"),
    },
    "torchvision-0.29.1-cp313-cp313-manylinux_2_28_aarch64.whl": {("W401", "torchvision/_C_stable.so")},
    "usd_core-26.11-cp313-none-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl": {
        ("W307", f"pxr/{name}/_{name[0].lower()}{name[1:]}.so") for name in USD
    },
    "vosk-0.3.45-py3-none-linux_armv7l.whl": {("W112", "vosk-0.3.45.dist-info/METADATA")},
    "z3_solver-4.13.0.0-py2.py3-none-manylinux2014_aarch64.whl": {
        ("W402", "z3/lib/libz3.so"),
        ("W402", "z3/lib/libz3.so.4.13"),
        ("W402", "z3_solver-4.13.0.0.data/data/bin/z3"),
    },
}

LARGE = (
    "torch-2.15.0-cp314-cp314-manylinux_2_28_aarch64.whl",
    "59c3a521000ab76a11785276b3d56752e03ca2751658798a94c8f1032f93cf41",
)


@pytest.mark.slow
@pytest.mark.index
@pytest.mark.daily(1)
@pytest.mark.parametrize("part", range(4))
def test_every_error_is_a_true_one_and_warnings_are_rare(part: int, debian_cache: Path) -> None:
    """A quarter of them in one test, so that one process audits them."""
    names = set(sorted(pinned())[part::4])
    try:
        wheels = fetched(debian_cache, names)
    except IndexUnreachable as error:
        pytest.skip(f"no real wheels: {error}")
    found = {audit.path.name: audit.findings for audit in audit_files(wheels)}
    assert set(found) == names
    errors = {name: {(one.rule, one.member) for one in findings if one.is_error} for name, findings in found.items()}
    true = {name: errors_of for name, errors_of in TRUE_ERRORS.items() if name in names}
    assert {name: errors_of for name, errors_of in errors.items() if errors_of} == true
    warned = [name for name, findings in found.items() if any(one.level == "warning" for one in findings)]
    assert len(warned) < len(found) / 4


@pytest.mark.slow
@pytest.mark.index
@pytest.mark.daily(1, of="large wheels")
def test_a_wheel_of_half_a_gigabyte_needs_little_memory(debian_cache: Path) -> None:
    """484 MB packed and a gigabyte unpacked, half of it one library."""
    if shutil.disk_usage(debian_cache).free < 4 << 30:
        pytest.skip("less than 4 GiB of the disk are free")
    try:
        path = download(debian_cache, *LARGE)
    except IndexUnreachable as error:
        pytest.skip(f"no real wheel: {error}")
    assert frugally(READERS[".whl"], str(path), seconds=60).startswith("read ")


def test_a_wheel_for_every_kind_of_machine_and_python() -> None:
    tags = {tag for name in pinned() for tag in parse_wheel_filename(name)[3]}
    platforms, abis = {tag.platform for tag in tags}, {tag.abi for tag in tags}
    for arch in architectures():
        for libc in ("manylinux", "musllinux"):
            assert any(platform.startswith(libc) and platform.endswith(f"_{arch}") for platform in platforms)
    assert {"none", "abi3", "abi3t", "cp38", "cp313t", "cp314t", "cp315t", "pypy310_pp73"} <= abis
    assert {f"cp3{minor}" for minor in range(10, 16)} <= abis


def test_the_true_errors_have_their_evidence() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "true-errors.md").read_text()
    assert set(TRUE_ERRORS) <= set(pinned())
    for name, errors in TRUE_ERRORS.items():
        _, _, section = page.partition(f"`{name}`")
        section = section.partition("\n## ")[0]
        assert section, name
        for rule, member in errors:
            assert rule in section
            assert f"`{member}`" in section
