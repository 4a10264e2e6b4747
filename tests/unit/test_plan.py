from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crosswheel.config import Config, load_config
from crosswheel.engines.cross import Cross
from crosswheel.errors import SourceError
from crosswheel.model import Interpreter, Job, LeftOut, Plan, Refusal
from crosswheel.plan import make_plan, plan_job
from crosswheel.targets import PythonTag, Target, parse_architecture, parse_target, python_tags

PY311, PY312, PY313, PY313T = (Interpreter(tag, f"{tag.version}.4", Path(f"/pythons/{tag}")) for tag in (
    PythonTag(11), PythonTag(12), PythonTag(13), PythonTag(13, free_threaded=True)
))  # fmt: skip
HERE = {interpreter.tag: interpreter for interpreter in (PY313T, PY313, PY311, PY312)}


def serves_all(_engine: str, _target: Target, _interpreter: Interpreter | None) -> str:
    return ""


def plan_for(folder: Path, requires_python: str = "", refuses: Any = serves_all, **flags: Any) -> Plan:
    config = load_config(folder, flags)
    return make_plan(config, requires_python, HERE, ("native", "cross"), refuses)


def targets(plan: Plan) -> list[str]:
    return [str(job.target) for job in plan.jobs]


# ---- pythons --------------------------------------------------------------------------------------------------


def test_by_default_there_is_a_job_for_every_python_here_the_oldest_first(tmp_path: Path) -> None:
    plan = plan_for(tmp_path)
    assert targets(plan) == [f"{tag}-manylinux2014_aarch64" for tag in ("cp311", "cp312", "cp313", "cp313t")]
    assert [job.interpreter for job in plan.jobs] == [PY311, PY312, PY313, PY313T]


def test_pythons_that_are_not_here_are_left_out_with_the_way_to_get_them(tmp_path: Path) -> None:
    plan = plan_for(tmp_path)
    missing = [str(tag) for tag in python_tags() if tag not in HERE]
    assert [entry.what for entry in plan.left_out] == missing
    assert plan.left_out[0] == LeftOut(
        "cp39",
        "no such CPython on this machine",
        "--python with their names: uv downloads what is missing",
        asked_for=False,
    )
    assert len({(entry.reason, entry.hint) for entry in plan.left_out}) == 1  # and so one line for all


def test_pythons_that_requires_python_forbids_are_left_out_with_that_reason(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, requires_python=">=3.12,<3.13")
    assert targets(plan) == ["cp312-manylinux2014_aarch64"]
    reasons = {entry.reason for entry in plan.left_out}
    assert reasons == {"requires-python is >=3.12,<3.13"}


def test_the_patch_release_at_hand_is_what_requires_python_is_held_against(tmp_path: Path) -> None:
    assert "cp311-manylinux2014_aarch64" not in targets(plan_for(tmp_path, requires_python=">=3.11.5"))
    assert "cp311-manylinux2014_aarch64" in targets(plan_for(tmp_path, requires_python=">=3.11.4"))
    (cp310,) = (entry for entry in plan_for(tmp_path, requires_python=">=3.10.5").left_out if entry.what == "cp310")
    assert cp310.reason == "no such CPython on this machine"


def test_what_was_asked_for_and_cannot_be_is_marked_so(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, requires_python=">=3.12", python=["cp313", "cp311", "cp310"])
    assert targets(plan) == ["cp313-manylinux2014_aarch64"]
    assert [(entry.what, entry.asked_for) for entry in plan.left_out] == [("cp311", True), ("cp310", True)]


def test_a_requires_python_that_is_none_is_an_error_of_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="requires-python is not a version specifier: 'three'") as caught:
        plan_for(tmp_path, requires_python="three")
    assert caught.value.hint == "correct it in pyproject.toml"


# ---- policies -------------------------------------------------------------------------------------------------


def test_every_architecture_gets_the_widest_floor_it_has(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, arch=["aarch64", "riscv64", "x86_64"], python=["cp313"])
    assert targets(plan) == [
        "cp313-manylinux2014_aarch64", "cp313-manylinux_2_31_riscv64", "cp313-manylinux2014_x86_64",
    ]  # fmt: skip


def test_a_policy_that_an_architecture_has_not_is_left_out_with_the_oldest_that_it_has(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, arch=["riscv64", "aarch64"], python=["cp313"], policy="manylinux2014")
    assert targets(plan) == ["cp313-manylinux2014_aarch64"]
    assert plan.left_out == (
        LeftOut(
            "cp313-manylinux2014_riscv64",
            "there is no manylinux2014 for riscv64; its oldest is manylinux_2_31",
            "--policy manylinux_2_31",
            asked_for=True,
        ),
    )


def test_an_old_policy_of_x86_is_served_where_it_is_asked_for(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, arch=["x86_64", "aarch64"], python=["cp313"], policy="manylinux2010")
    assert targets(plan) == ["cp313-manylinux2010_x86_64"]
    assert [entry.what for entry in plan.left_out] == ["cp313-manylinux2010_aarch64"]


# ---- engines --------------------------------------------------------------------------------------------------


def not_native(engine: str, _target: Target, _interpreter: Interpreter | None) -> str:
    return "this machine is x86_64" if engine == "native" else ""


def test_the_first_engine_that_can_serve_is_taken_and_the_others_say_why_not() -> None:
    target = parse_target("cp313-manylinux2014_aarch64")
    assert plan_job(target, "auto", ("native", "cross"), PY313, not_native) == Job(
        target, "cross", PY313, "best that can serve it", (Refusal("native", "this machine is x86_64"),)
    )
    assert plan_job(target, "auto", ("cross", "native"), PY313, not_native) == Job(
        target, "cross", PY313, "best that can serve it"
    )


def test_an_engine_that_was_asked_for_has_no_stand_in() -> None:
    target = parse_target("cp313-manylinux2014_aarch64")
    assert plan_job(target, "cross", ("native", "cross"), PY313, not_native) == Job(target, "cross", PY313, "asked for")
    refused = plan_job(target, "native", ("native", "cross"), PY313, not_native)
    assert isinstance(refused, LeftOut)
    assert (refused.reason, refused.asked_for) == ("native: this machine is x86_64", True)


def test_a_target_that_no_engine_serves_is_left_out_with_every_reason(tmp_path: Path) -> None:
    plan = plan_for(
        tmp_path,
        python=["cp313"],
        arch=["s390x"],
        refuses=lambda engine, target, _python: f"no {target.arch} on {engine}",
    )
    assert plan.jobs == ()
    assert plan.left_out == (
        LeftOut(
            "cp313-manylinux2014_s390x",
            "native: no s390x on native; cross: no s390x on cross",
            asked_for=True,
        ),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(tmp_path, {})


@pytest.mark.parametrize(
    ("target", "interpreter", "reason"),
    [
        ("cp313-manylinux2014_aarch64", PY313, ""),
        ("cp313-musllinux_1_2_x86_64", PY313, ""),
        ("cp313-manylinux2014_ppc64le", PY313, ""),
        ("cp313-manylinux2014_aarch64", None, "no CPython 3.13 on this machine to run the build backend"),
        (
            "cp313-manylinux2014_s390x",
            PY313,
            (
                "s390x is 64-bit big-endian: its CPython cannot be derived from this machine's; "
                "name a folder with it and its headers as sysroot.s390x in [tool.crosswheel]"
            ),
        ),
        (
            "cp313-manylinux2014_armv7l",
            PY313,
            (
                "armv7l is 32-bit little-endian: its CPython cannot be derived from this machine's; "
                "name a folder with it and its headers as sysroot.armv7l in [tool.crosswheel]"
            ),
        ),
        (
            "cp313-musllinux_1_1_aarch64",
            PY313,
            "Zig's musl is 1.2, which is newer than musllinux_1_1 promises; take --policy musllinux_1_2",
        ),
        (
            "cp313-manylinux2014_aarch64",
            Interpreter(PY313.tag, "3.13.4", Path("/pythons/bare"), headers=False),
            "/pythons/bare has no headers; install python3-dev, or uv python install 3.13",
        ),
    ],
)
def test_the_cross_engine_says_what_it_cannot_serve(
    config: Config, target: str, interpreter: Interpreter | None, reason: str
) -> None:
    assert Cross().refusal(parse_target(target), interpreter, config) == reason


def test_a_sysroot_with_the_targets_python_lifts_the_cross_engines_refusal(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "usr" / "lib" / "python3.13"
    folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\nsysroot = { s390x = "root" }\n')
    config = load_config(tmp_path, {})
    target = Target(PY313.tag, parse_architecture("s390x"), parse_target("cp313-manylinux2014_s390x").policy)
    assert "sysroot.s390x in [tool.crosswheel]" in Cross().refusal(target, PY313, config)
    (folder / "_sysconfigdata__s390x-linux-gnu.py").touch()
    assert Cross().refusal(target, PY313, config) == ""
