"""A real project that cannot do without OpenMP, by `auto` without an engine: the image's gcc compiles it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import crosswheel as cw
from crosswheel.containers.emulation import Running
from crosswheel.formats.wheels import read_wheel
from stand_in_roots import StandInRoot

pytestmark = [pytest.mark.slow, pytest.mark.index]

# setup.py gives -fopenmp to the compiler and to the linker, without asking whether they know it.
PROJECT = "libsvm-official==3.37.0"

# Two clouds of points, as a build by this machine's gcc tells them apart; rows of the kernel are computed in parallel.
TRAIN = """
import ctypes, os, libsvm.svmutil as svm
points = [[(i * 7 % 11) / 11 - (i % 2), (i * 5 % 13) / 13 + (i % 2)] for i in range(60)]
labels = [i % 2 for i in range(60)]
model = svm.svm_train(labels, points, "-t 2 -q")
found, accuracy, _ = svm.svm_predict(labels, points, model, "-q")
assert (accuracy[0], model.l) == (100.0, 12), (accuracy, model.l)
threads = ctypes.CDLL(svm.libsvm._name).omp_get_max_threads
assert threads() == 3, threads()
"""


def test_libsvm_is_built_with_openmp_and_its_threads_run(
    running: Running, cache: Path, manylinux_root: StandInRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not running.natively
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(cache))
    report = cw.wheels(
        project=PROJECT,
        arch="aarch64",
        python=["cp313"],
        policy="manylinux_2_41",
        container_host="namespace",
        image=manylinux_root.reference,
        test_command=f"OMP_NUM_THREADS=3 python -c {shlex.quote(TRAIN)}",
        output=str(tmp_path / "wheelhouse"),
    )
    (outcome,) = report.outcomes
    assert outcome.failure is None
    assert outcome.job.engine == "accelerated"
    assert outcome.untested == ""
    assert outcome.usage.by_gcc == 1  # svm.cpp; the link is clang's
    (wheel,) = (read_wheel(each.path) for each in report.wheels)
    assert [member for member in wheel.elves if "libgomp" in member]
