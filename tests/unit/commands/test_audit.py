"""The verb `audit`: which files it takes, what it says of them, and how it ends."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crosswheel as cw
from crosswheel import AuditReport
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.auditing.rules.rule import Rule
from crosswheel.commands import perform, run_verb
from crosswheel.commands.call import Own
from crosswheel.errors import NothingToDo, UsageError
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target
from crosswheel.testing import tiny_elf, tiny_wheel

GOOD = tiny_elf(exports=["PyInit_fast"])
BAD = tiny_elf(exports=["PyInit_fast"], needed=["libfoo.so"])


def cpython(folder: Path, minor: int, library: bytes = GOOD, arch: str = "aarch64", **more: Any) -> Path:
    """A wheel for one CPython, the same ELF file whatever the architecture."""
    folder.mkdir(exist_ok=True)
    return tiny_wheel(
        folder,
        tag=f"cp3{minor}-cp3{minor}-manylinux_2_17_{arch}",
        members={f"tiny/fast.cpython-3{minor}-{arch}-linux-gnu.so": library},
        **more,
    )


def sdist(folder: Path, name: str = "tiny-1.0") -> Path:
    import tarfile

    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(f"{name}/PKG-INFO")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"a: b"))
    return path


def audit(project: Path, *wheels: Path | str, **options: Any) -> tuple[int, str]:
    stream = io.StringIO()
    given = {"wheels": [str(path) for path in wheels], "jobs": 1, **options}
    return run_verb("audit", project, given, stream), stream.getvalue()


def document(project: Path, *wheels: Path | str) -> dict[str, Any]:
    audit(project, *wheels, json=str(project / "audit.json"))
    read: dict[str, Any] = json.loads((project / "audit.json").read_text())
    return read


def files(project: Path, *wheels: Path | str) -> list[str]:
    return [wheel["file"] for wheel in document(project, *wheels)["wheels"]]


def together(project: Path, *wheels: Path | str) -> list[tuple[str, str]]:
    return [(finding["rule"], finding["expected"]) for finding in document(project, *wheels)["findings"]]


def test_a_good_wheel_ends_with_0_and_a_bad_one_with_9(tmp_path: Path) -> None:
    good, bad = cpython(tmp_path, 12), cpython(tmp_path, 13, BAD)
    code, text = audit(tmp_path, good)
    assert (code, text.splitlines()[0]) == (0, f"✔ {good.name} ({_size(good)}): nothing found")
    code, text = audit(tmp_path, good, bad)
    assert code == 9
    assert f"✘ {bad.name} ({_size(bad)}): 1 error\n    error W403: A binary needs a library" in text
    assert "tiny/fast.cpython-313-aarch64-linux-gnu.so, found libfoo.so, expected inside the wheel" in text
    assert "        fix: run auditwheel repair" in text


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1024:.1f} KiB"


def test_notes_and_warnings_fail_nothing(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path, tag="cp313-cp313-manylinux_2_17_aarch64", members={"fast.so": GOOD})
    code, text = audit(tmp_path, wheel)
    assert code == 0
    assert "note W302: " in text


def test_what_is_switched_off_stays_in_the_report_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\nignore = { W403 = "our launcher has it" }\n')
    bad = cpython(tmp_path, 13, BAD)
    code, text = audit(tmp_path, bad)
    assert code == 0
    assert text.startswith(f"✔ {bad.name} ({_size(bad)}): 1 switched off\n")
    assert "switched off (our launcher has it), error W403: A binary needs a library" in text
    assert "fix: " not in text


def test_without_words_it_is_about_the_output_folder_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\noutput = "out"\n')
    wheels = [cpython(tmp_path / "out", minor).name for minor in (12, 13)]
    assert files(tmp_path) == wheels


def test_files_keep_their_order_folders_give_their_wheels_and_each_is_audited_once(tmp_path: Path) -> None:
    one, two, three = (cpython(tmp_path / "wheels", minor) for minor in (11, 12, 13))
    (tmp_path / "wheels" / "report.json").touch()
    (tmp_path / "wheels" / "rejected").mkdir()
    again = tmp_path / "wheels" / ".." / "wheels" / two.name
    assert files(tmp_path, two, tmp_path / "wheels", one, again) == [two.name, one.name, three.name]


def test_two_names_of_one_file_are_two_wheels(tmp_path: Path) -> None:
    wheel = cpython(tmp_path, 12)
    link = tmp_path / wheel.name.replace("cp312", "cp313")
    link.symlink_to(wheel)
    assert files(tmp_path, wheel, link) == [wheel.name, link.name]


def test_whatever_is_called_a_wheel_is_audited_and_nothing_keeps_the_others_away(tmp_path: Path) -> None:
    wheel = cpython(tmp_path, 12)
    (tmp_path / "x.whl").mkdir()
    (tmp_path / "y.txt").touch()
    code, text = audit(tmp_path, tmp_path / "x.whl", tmp_path / "y.txt", wheel)
    assert code == 9
    assert "✘ x.whl: 1 error\n    error W001: " in text
    assert "y.txt is not the name of a wheel" in text
    assert f"✔ {wheel.name}" in text


def test_every_file_that_is_not_there_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        audit(tmp_path, cpython(tmp_path, 12), "a.whl", "b")
    assert caught.value.mistakes == [f"there is no file or folder {tmp_path / name}" for name in ("a.whl", "b")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no folder {}/wheelhouse"),
        (["empty"], "there is no wheel in {}/empty"),
        (["full", "empty"], "there is no wheel in {}/empty"),
        (["tiny-1.0.tar.gz"], "there is no wheel among these files"),
    ],
)
def test_where_there_is_no_wheel_there_is_nothing_to_do(tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "empty").mkdir()
    cpython(tmp_path / "full", 12)
    sdist(tmp_path)
    with pytest.raises(NothingToDo) as caught:
        audit(tmp_path, *(tmp_path / word for word in words))
    assert caught.value.message == message.format(tmp_path)
    assert caught.value.exit_code == 3


def test_an_sdist_is_missed_in_a_whole_folder_only(tmp_path: Path) -> None:
    wheel = cpython(tmp_path / "wheels", 12)
    missed = [("W707", "tiny-1.0.tar.gz")]
    assert together(tmp_path, wheel.parent) == missed
    assert together(tmp_path, wheel) == []
    sdist(wheel.parent)
    assert together(tmp_path, wheel.parent) == []


def test_sdists_are_those_of_the_folder_and_those_named(tmp_path: Path) -> None:
    wheel = cpython(tmp_path / "wheels", 12)
    there = sdist(wheel.parent)
    (wheel.parent / "logs.tar.gz").touch()
    assert document(tmp_path, wheel.parent)["sdists"] == [str(there)]
    named = sdist(tmp_path, "tiny-2.0")
    found = document(tmp_path, wheel, named)
    assert found["sdists"] == [str(named)]
    assert [finding["rule"] for finding in found["findings"]] == ["W708"]


def test_an_sdist_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    wheel = cpython(tmp_path, 12)
    (tmp_path / "tiny-1.0.tar.gz").write_bytes(b"no archive")
    code, text = audit(tmp_path, wheel.parent)
    assert code == 9
    assert "✘ tiny-1.0.tar.gz: 1 error\n    error W001: " in text


PROJECT = '[project]\nname = "Tiny"\n[tool.crosswheel]\narch = ["aarch64", "x86_64"]\n'


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (PROJECT, ["cp312-manylinux2014_x86_64"]),
        (PROJECT + 'python = ["cp313", "cp314"]\n', ["cp314-manylinux2014_aarch64", "cp314-manylinux2014_x86_64"]),
        (PROJECT + 'python = ["cp39", "cp313"]\n', []),
        (PROJECT.replace("Tiny", "other"), []),
        (PROJECT.partition("[tool")[0], []),
        ("", []),
    ],
)
def test_what_the_project_promises_must_be_in_the_folder(tmp_path: Path, text: str, missing: list[str]) -> None:
    """Where no Python is named, those that any wheel is for; none that requires-python leaves out."""
    (tmp_path / "pyproject.toml").write_text(text)
    for minor, arch in ((12, "aarch64"), (13, "aarch64"), (13, "x86_64")):
        metadata = b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Python: >=3.10\n"
        library = tiny_elf(exports=["PyInit_fast"], machine="EM_X86_64" if arch == "x86_64" else "EM_AARCH64")
        members = {f"tiny/fast.cpython-3{minor}-{arch}-linux-gnu.so": library, "tiny-1.0.dist-info/METADATA": metadata}
        folder = tmp_path / "wheelhouse"
        folder.mkdir(exist_ok=True)
        wheel = tiny_wheel(folder, tag=f"cp3{minor}-cp3{minor}-manylinux_2_17_{arch}", members=members)
    sdist(folder)
    assert together(tmp_path) == [("W703", target) for target in missing]
    assert together(tmp_path, wheel) == []


@pytest.mark.parametrize("requires", [b"Requires-Python: three\n", b"Requires-Python: >=3.10\nRequires-Python: >=3\n"])
def test_pythons_that_nobody_can_tell_are_promised_to_nobody(tmp_path: Path, requires: bytes) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    metadata = b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n" + requires
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    tiny_wheel(
        folder,
        tag="cp313-cp313-manylinux_2_17_aarch64",
        members={"tiny-1.0.dist-info/METADATA": metadata, "a.so": GOOD},
    )
    sdist(folder)
    assert together(tmp_path) == []


def test_the_rules_are_listed_with_their_reasons_and_nothing_is_audited(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    code, text = audit(tmp_path, rules=True, json=str(path))
    assert code == 0
    for rule in ALL_RULES:
        assert f"{rule.code} {rule.level}: {rule.finding().message}\n    why: {rule.why}\n    fix: {rule.fix}\n" in text
    assert [rule["code"] for rule in json.loads(path.read_text())["rules"]] == [rule.code for rule in ALL_RULES]


def test_a_report_for_a_code_scanning_page_lies_beside_the_one_for_programs(tmp_path: Path) -> None:
    audit(tmp_path, cpython(tmp_path, 13, BAD), json="a.json", sarif="a.sarif")
    assert json.loads((tmp_path / "a.json").read_text())["totals"]["errors"] == 1
    (run,) = json.loads((tmp_path / "a.sarif").read_text())["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["W403"]


def test_the_document_says_which_policies_a_wheel_keeps(tmp_path: Path) -> None:
    wanting = cpython(tmp_path, 13, BAD)
    (wheel,) = document(tmp_path, wanting)["wheels"]
    (analysis,) = wheel["analyses"]
    assert (analysis["overall_tag"], analysis["sym_tag"]) == ("linux_aarch64", "manylinux_2_17_aarch64")
    assert analysis["external_libs"] == ["libfoo.so"]
    assert analysis["policy_upgrades"]["manylinux_2_17_aarch64"] == {"libs_to_eliminate": ["libfoo.so"]}


def test_what_the_build_of_a_wheel_did_not_compile_is_told_from_the_report_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "wheelhouse"
    wheel, other = cpython(folder, 12), cpython(folder, 13)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    finding = {"rule": "W605", "level": "warning", "member": "tiny.slow", "found": "no header", "fix": "add it"}
    job = {"wheel": {"sha256": digest}, "findings": [finding, {"rule": "W204"}]}
    (folder / "report.json").write_text(json.dumps({"kind": "report", "jobs": [job, {"wheel": None}]}))
    (folder / "report-other.json").write_text("{")
    told = {entry["file"]: entry["findings"] for entry in document(tmp_path, folder)["wheels"]}
    assert [(each["rule"], each["member"], each["found"], each["fix"]) for each in told[wheel.name]] == [
        ("W605", "tiny.slow", "no header", "add it")
    ]
    assert told[other.name] == []
    code, _ = audit(tmp_path, wheel)
    assert code == 0


# ---- own rules ----------------------------------------------------------------------------------------------------


class NothingFast(Rule):
    """The wheel has a file called fast."""

    code = "X001"
    level = "warning"
    why = "we are slow"
    fix = "rename it"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        yield from (self.finding(member=member) for member in wheel.members if "fast" in member)


class Faulty(NothingFast):
    code = "X002"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        raise ZeroDivisionError("oh")


def own_findings(report: AuditReport) -> list[tuple[str, str, str]]:
    return [(one.rule, one.level, one.ignored) for one in report.findings if one.rule.startswith("X")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_own_rules_are_checked_beside_the_audits(tmp_path: Path, jobs: int) -> None:
    wheels = [cpython(tmp_path / str(minor), minor, GOOD) for minor in (12, 13)]
    report = cw.audit(wheels, rules=[NothingFast()], jobs=jobs)
    assert own_findings(report) == [("X001", "warning", "")] * 2
    assert report.ok
    assert {rule["code"] for rule in report.document()["rules"]} > {"X001", "W101"}
    sarif = report.sarif() or {}
    assert [one["ruleId"] for one in sarif["runs"][0]["results"] if one["ruleId"] == "X001"] == ["X001"] * 2


@pytest.mark.parametrize("verb", ["audit", "check"])
def test_own_rules_of_a_noxfile_are_checked_by_every_verb_that_audits(tmp_path: Path, verb: str) -> None:
    cpython(tmp_path / "wheelhouse", 13, GOOD)
    sdist(tmp_path / "wheelhouse")
    stream = io.StringIO()
    perform(verb, tmp_path, {}, stream, own=Own(rules=(NothingFast(),)))
    assert "warning X001: The wheel has a file called fast." in stream.getvalue()


def test_own_rules_can_be_listed_and_switched_off(tmp_path: Path) -> None:
    wheel, off = cpython(tmp_path, 13, GOOD), {"X001": "a trial"}
    assert own_findings(cw.audit(wheel, rules=[NothingFast()], ignore=off)) == [("X001", "warning", "a trial")]
    with pytest.raises(UsageError, match=r"ignore\.X001: no such rule"):
        cw.audit(wheel, ignore=off)
    assert "W101 error" in str(cw.audit(rules=True))
    stream = io.StringIO()
    perform("audit", tmp_path, {"rules": True}, stream, own=Own(rules=(NothingFast(),)))
    assert "X001 warning: The wheel has a file called fast." in stream.getvalue()


def test_an_own_rule_that_fails_is_an_error_of_its_own_and_the_others_are_checked(tmp_path: Path) -> None:
    report = cw.audit(cpython(tmp_path, 13, GOOD), rules=[Faulty(), NothingFast()])
    assert own_findings(report) == [("X002", "error", ""), ("X001", "warning", "")]
    assert "the rule failed: ZeroDivisionError: oh" in str(report)


def test_own_rules_say_nothing_of_a_file_that_is_no_wheel(tmp_path: Path) -> None:
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    path.write_bytes(b"no wheel")
    assert [one.rule for one in cw.audit(path, rules=[Faulty()]).findings] == ["W001"]
