from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.engines.cross import Cross
from crosswheel.errors import SourceError
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Interpreter, Job, LeftOut, Plan, Refusal
from crosswheel.model.targets import PythonTag, Target, parse_target, python_tags
from crosswheel.pipeline.plan import Offer, make_plan, plan_job, promised_targets
from tiny_projects import tiny_facts, tiny_host

PY311, PY312, PY313, PY313T = (Interpreter(tag, f"{tag.version}.4", Path(f"/pythons/{tag}")) for tag in (
    PythonTag(11), PythonTag(12), PythonTag(13), PythonTag(13, free_threaded=True)
))  # fmt: skip
HERE = {interpreter.tag: interpreter for interpreter in (PY313T, PY313, PY311, PY312)}


def serves_all(_engine: str, target: Target) -> Interpreter | str:
    return HERE.get(target.python) or Interpreter(target.python, "3.99.0", Path("/opt/python"))


def plan_for(
    folder: Path,
    requires_python: str = "",
    offer: Offer = serves_all,
    elsewhere: Collection[PythonTag] = (),
    **flags: Any,
) -> Plan:
    config = load_config(folder, flags)
    return make_plan(config, requires_python, HERE, ("native", "cross"), offer, elsewhere)


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
        "--python with its name: uv downloads it",
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


def test_what_is_promised_depends_on_no_machine(tmp_path: Path) -> None:
    config = load_config(tmp_path, {"arch": ["aarch64", "riscv64"], "python": ["cp313", "cp39"]})
    promised = promised_targets(config, ">=3.10", [PythonTag(12)])
    assert [str(target) for target in promised] == ["cp313-manylinux2014_aarch64", "cp313-manylinux_2_31_riscv64"]
    config = load_config(tmp_path, {"arch": ["aarch64", "riscv64"], "policy": "manylinux2014"})
    promised = promised_targets(config, "", [PythonTag(14), PythonTag(12)])
    assert [str(target) for target in promised] == ["cp312-manylinux2014_aarch64", "cp314-manylinux2014_aarch64"]


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


def not_native(engine: str, target: Target) -> Interpreter | str:
    return "this machine is x86_64" if engine == "native" else HERE[target.python]


def test_the_first_engine_that_can_serve_is_taken_and_the_others_say_why_not() -> None:
    target = parse_target("cp313-manylinux2014_aarch64")
    assert plan_job(target, "auto", ("native", "cross"), not_native) == Job(
        target, "cross", PY313, "best engine for it", (Refusal("native", "this machine is x86_64"),)
    )
    assert plan_job(target, "auto", ("cross", "native"), not_native) == Job(
        target, "cross", PY313, "best engine for it"
    )


def test_an_engine_that_was_asked_for_has_no_stand_in() -> None:
    target = parse_target("cp313-manylinux2014_aarch64")
    assert plan_job(target, "cross", ("native", "cross"), not_native) == Job(target, "cross", PY313, "asked for")
    refused = plan_job(target, "native", ("native", "cross"), not_native)
    assert isinstance(refused, LeftOut)
    assert (refused.reason, refused.asked_for) == ("native: this machine is x86_64", True)


def test_engines_further_down_that_could_serve_stand_by() -> None:
    target, other = parse_target("cp313-manylinux2014_aarch64"), replace(PY313, path=Path("/opt/python"))
    answers: dict[str, Interpreter | str] = {"first": "no", "second": PY313, "third": "no", "fourth": other}
    job = plan_job(target, "auto", tuple(answers), lambda engine, _target: answers[engine])
    assert job == Job(
        target,
        "second",
        PY313,
        "best engine for it",
        (Refusal("first", "no"),),
        # Neither those that were refused before it nor those that cannot serve.
        (Job(target, "fourth", other),),
    )


def test_an_engine_may_be_asked_for_by_target_the_first_pattern_that_matches_counts(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.crosswheel.engines]\n"
        '"cp313-*_x86_64" = "native"\n"*_x86_64" = "cross"\n"cp313t-*" = "auto"\n"*-musllinux*" = "emulated"\n'
    )
    flags: dict[str, Any] = {"python": ["cp312", "cp313", "cp313t"], "arch": ["aarch64", "x86_64"], "engine": "cross"}
    plan = plan_for(tmp_path, **flags)
    assert {str(job.target): (job.engine, job.reason) for job in plan.jobs} == {
        "cp312-manylinux2014_aarch64": ("cross", "asked for"),
        "cp313-manylinux2014_aarch64": ("cross", "asked for"),
        "cp313t-manylinux2014_aarch64": ("native", "best engine for it"),
        "cp312-manylinux2014_x86_64": ("cross", "asked for"),
        "cp313-manylinux2014_x86_64": ("native", "asked for"),
        "cp313t-manylinux2014_x86_64": ("cross", "asked for"),
    }


# ---- pythons of images ----------------------------------------------------------------------------------------


def test_pythons_that_only_images_have_are_planned_too(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, requires_python=">=3.13", elsewhere={PythonTag(14), PythonTag(12)})
    assert targets(plan) == [f"{tag}-manylinux2014_aarch64" for tag in ("cp313", "cp313t", "cp314")]
    assert "cp314" not in [entry.what for entry in plan.left_out]


def test_a_python_that_only_other_architectures_images_have_was_not_asked_for_of_this_one(tmp_path: Path) -> None:
    """Or `wheels` would end as though something had gone wrong, on every machine with a Docker Engine."""

    def offer(engine: str, target: Target) -> Interpreter | str:
        return "not here" if target.arch.name == "riscv64" else serves_all(engine, target)

    flags: dict[str, Any] = {
        "requires_python": ">=3.13",
        "offer": offer,
        "elsewhere": {PythonTag(14)},
        "arch": ["riscv64", "aarch64"],
    }
    marked = {entry.what: entry.asked_for for entry in plan_for(tmp_path, **flags).left_out if "riscv64" in entry.what}
    assert marked == {
        "cp313-manylinux_2_31_riscv64": True,
        "cp313t-manylinux_2_31_riscv64": True,
        "cp314-manylinux_2_31_riscv64": False,
    }
    asked = plan_for(tmp_path, **flags, python=["cp314"]).left_out
    assert [(entry.what, entry.asked_for) for entry in asked] == [("cp314-manylinux_2_31_riscv64", True)]


# ---- what no engine serves, and what the cross engine does not --------------------------------------------------


def test_a_target_that_no_engine_serves_is_left_out_with_every_reason(tmp_path: Path) -> None:
    plan = plan_for(
        tmp_path,
        python=["cp313"],
        arch=["s390x"],
        offer=lambda engine, target: f"no {target.arch} on {engine}",
    )
    assert plan.jobs == ()
    assert plan.left_out == (
        LeftOut(
            "cp313-manylinux2014_s390x",
            "native: no s390x on native; cross: no s390x on cross",
            asked_for=True,
        ),
    )


def test_engines_with_one_reason_share_it_and_the_first_remedy_is_the_next_command() -> None:
    target = parse_target("cp313-manylinux2014_aarch64")
    answers = {
        "cross": "it has no Fortran compiler; --engine accelerated",
        "native": "this machine is x86_64",
        "accelerated": "its images have no Rust; before-all = 'yum install rust'",
        "emulated": "its images have no Rust; before-all = 'yum install rust'",
    }
    left_out = plan_job(target, "auto", tuple(answers), lambda engine, _target: answers[engine])
    assert isinstance(left_out, LeftOut)
    assert left_out.reason == (  # without the command, which the hint names
        "cross: it has no Fortran compiler; --engine accelerated; native: this machine is x86_64; "
        "accelerated, emulated: its images have no Rust"
    )
    assert left_out.hint == "before-all = 'yum install rust'"


def test_a_remedy_of_two_parts_stays_whole() -> None:
    target = parse_target("cp313-manylinux2014_aarch64")
    why = "no registry answers; curl -I https://registry.example/v2/; or --mirrors HOST"
    left_out = plan_job(target, "accelerated", (), lambda _engine, _target: why)
    assert isinstance(left_out, LeftOut)
    assert left_out.reason == "accelerated: no registry answers"
    assert left_out.hint == "curl -I https://registry.example/v2/; or --mirrors HOST"


def offer_of_cross(folder: Path, target: str, interpreter: Interpreter | None, **flags: Any) -> Interpreter | str:
    here = {interpreter.tag: interpreter} if interpreter else {}
    facts = tiny_facts(replace(tiny_host(folder), interpreters=here))
    return Cross().offer(parse_target(target), load_config(folder, flags), facts)


@pytest.mark.parametrize(
    ("target", "interpreter", "reason"),
    [
        ("cp313-manylinux2014_aarch64", PY313, ""),
        ("cp313-musllinux_1_2_x86_64", PY313, ""),
        ("cp313-manylinux2014_ppc64le", PY313, ""),
        ("cp313-manylinux2014_aarch64", None, "no CPython 3.13 on this machine to run the build backend"),
        ("cp313-manylinux2014_s390x", PY313, ""),
        ("cp313-manylinux2014_armv7l", PY313, ""),
        (
            "cp313-musllinux_1_1_aarch64",
            PY313,
            "Zig's musl is 1.2, which is newer than musllinux_1_1; use --policy musllinux_1_2",
        ),
        (
            "cp313-manylinux2014_aarch64",
            Interpreter(PY313.tag, "3.13.4", Path("/pythons/bare"), headers=False),
            "/pythons/bare has no headers; install python3-dev, or uv python install 3.13",
        ),
    ],
)
def test_the_cross_engine_says_what_it_cannot_serve(
    tmp_path: Path, target: str, interpreter: Interpreter | None, reason: str
) -> None:
    assert offer_of_cross(tmp_path, target, interpreter) == (reason or interpreter)


@pytest.mark.parametrize("option", ["before-all", "before-build"])
def test_commands_for_build_containers_keep_the_cross_engine_away(tmp_path: Path, option: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.crosswheel]\n{option} = "dnf install -y libffi-devel"\n')
    reason = "before-all and before-build only run in containers"
    assert offer_of_cross(tmp_path, "cp313-manylinux2014_aarch64", PY313) == reason


def test_a_sysroot_with_the_targets_python_needs_no_headers_here(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "usr" / "lib" / "python3.13"
    folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\nsysroot = { s390x = "root" }\n')
    target, bare = "cp313-manylinux2014_s390x", Interpreter(PY313.tag, "3.13.4", Path("/bare"), headers=False)
    assert "has no headers" in str(offer_of_cross(tmp_path, target, bare))
    (folder / "_sysconfigdata__s390x-linux-gnu.py").touch()
    assert offer_of_cross(tmp_path, target, bare) == bare
