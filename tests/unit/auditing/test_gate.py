from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.auditing.run import audit_wheel as audit
from crosswheel.auditing.run import switched_off
from crosswheel.errors import AuditFailed
from crosswheel.model.targets import parse_target
from crosswheel.testing import tiny_elf, tiny_wheel


def test_findings_come_in_the_order_of_the_rules(tmp_path: Path) -> None:
    library = tiny_elf(
        machine="EM_X86_64", needed=["libfoo.so"], undefined=["__ubsan_handle_add_overflow", "PyErr_Clear"]
    )
    members = {
        "tiny/fast.cpython-313-x86_64-linux-gnu.so": library,
        "tiny-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp313-cp313-linux_x86_64\n",
        "tiny-1.0.dist-info/RECORD": b"",
    }
    path = tiny_wheel(tmp_path, tag="cp313-cp313-manylinux_2_28_aarch64", members=members)
    codes = [finding.rule for finding in audit(path, parse_target("cp312-manylinux_2_28_aarch64"))]
    assert codes == ["W101", "W104", "W202", "W301", "W305", "W403", "W404", "W501", "W501", "W501"]


@pytest.mark.parametrize("cut", [10, 100, 400, 900])
def test_a_truncated_wheel_fails_with_one_clear_error(tmp_path: Path, cut: int) -> None:
    path = tiny_wheel(tmp_path, members={"lib.so": tiny_elf()})
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(AuditFailed, match="cannot be read as a zip archive"):
        audit(path)


def test_a_wheel_of_garbage_binaries_is_reported_and_not_a_crash(tmp_path: Path) -> None:
    members = {"a.so": b"\x7fELF", "b.so": b"\x7fELF" + bytes(range(256)), "c.abi3.so": b""}
    path = tiny_wheel(tmp_path, tag="cp313-abi3-manylinux_2_28_aarch64", members=members)
    findings = audit(path)
    assert [(finding.rule, finding.member) for finding in findings] == [("W201", member) for member in members]


def test_findings_of_rules_that_are_switched_off_keep_their_place_and_have_the_reason(tmp_path: Path) -> None:
    library = tiny_elf(runpath="/opt/build", needed=["libfoo.so"])
    path = tiny_wheel(tmp_path, tag="py3-none-manylinux_2_28_aarch64", members={"tiny/lib.so": library})
    found = audit(path)
    off = switched_off(found, {"W401": " a launcher of our own ", "W202": "never seen"})
    assert [finding.rule for finding in off] == [finding.rule for finding in found]
    assert {finding.rule: finding.ignored for finding in off if finding.ignored} == {"W401": "a launcher of our own"}
    assert {finding.rule for finding in off if finding.is_error} == {"W403"}
