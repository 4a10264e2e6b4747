"""The summary of a wheelhouse: failures are grouped by what has to be done."""

from __future__ import annotations

from pathlib import Path

from crosswheel.commands.wheelhouse import WheelhouseReport
from crosswheel.model.job import Failure
from crosswheel.model.targets import parse_target
from crosswheel.trees.building import Package, PackageOutcome
from crosswheel.trees.cells import cell_of
from crosswheel.trees.verdicts import Verdict

ARM = cell_of(parse_target("cp312-manylinux_2_34_aarch64"))


def failed(name: str, kind: str, cause: str, message: str) -> PackageOutcome:
    package = Package(name, "1.0", (ARM,), Verdict(name, "1.0", ARM, "to build"))
    return PackageOutcome(package, "failed", failures=(Failure(kind, 7, "build", message, "do this", cause=cause),))


def test_what_one_person_does_stands_together() -> None:
    outcomes = (
        failed("cffi", "BuildFailed", "missing header", "the header ffi.h was not found\nlast line"),
        failed("sad", "TestFailed", "", "its modules could not be imported"),
        failed("cairo", "BuildFailed", "missing library", "the library cairo was not found"),
        failed("rusty", "NothingToDo", "", "nothing to build\n\nleft out\n  cp312: the project needs Rust"),
    )
    lines = [" ".join(line.split()) for line in str(WheelhouseReport(Path("house"), (), outcomes, ())).splitlines()]
    at = lines.index("a system library is missing:")
    assert lines[at + 1 : at + 5] == [
        "cffi: the header ffi.h was not found",
        "try: do this",
        "cairo: the library cairo was not found",
        "try: do this",
    ]
    assert any(line.startswith("nothing on this machine can build it") for line in lines)
    assert "rusty: nothing to build left out cp312: the project needs Rust" in lines
