from __future__ import annotations

import json
from importlib import resources
from typing import Any, NamedTuple

import pytest
from packaging.tags import _linux_platforms

from crosswheel.errors import UsageError
from crosswheel.model.targets import (
    Policy,
    PythonTag,
    architectures,
    load_table,
    oldest_policy,
    parse_architecture,
    parse_platform,
    parse_policy,
    parse_python,
    parse_target,
    python_tags,
    usual_pythons,
)


def auditwheels_policies(libc: str) -> list[dict[str, Any]]:
    """What the version of auditwheel that is installed beside us can prove."""
    text = resources.files("auditwheel.policy").joinpath(f"{libc}-policy.json").read_text("utf-8")
    return [row for row in json.loads(text) if row["name"] != "linux"]


@pytest.mark.parametrize(
    ("libc", "file", "prefix"), [("glibc", "manylinux", "manylinux_2_"), ("musl", "musllinux", "musllinux_1_")]
)
def test_the_table_has_every_policy_of_auditwheel_and_no_other(libc: str, file: str, prefix: str) -> None:
    theirs = sorted(int(row["name"].removeprefix(prefix)) for row in auditwheels_policies(file))
    assert load_table("targets.toml")[libc]["minors"] == theirs


def test_the_old_names_of_policies_are_auditwheels() -> None:
    theirs = {alias: row["name"] for row in auditwheels_policies("manylinux") for alias in row["aliases"]}
    assert {name: f"manylinux_2_{minor}" for name, minor in load_table("targets.toml")["glibc"]["legacy"].items()} == (
        theirs
    )


@pytest.mark.parametrize("arch", architectures())
def test_the_oldest_policy_of_an_architecture_is_auditwheels(arch: str) -> None:
    rows = [row for row in auditwheels_policies("manylinux") if arch in row["symbol_versions"]]
    oldest = min(int(row["name"].removeprefix("manylinux_2_")) for row in rows)
    assert parse_architecture(arch).oldest_glibc == oldest
    assert oldest_policy(parse_architecture(arch)).minor == max(17, oldest)


@pytest.mark.parametrize("arch", architectures())
@pytest.mark.parametrize("policy", ["manylinux2014", "manylinux_2_28", "manylinux_2_33", "musllinux_1_2"])
@pytest.mark.parametrize("python", ["cp310", "cp313t"])
def test_a_target_is_printed_as_it_is_parsed(python: str, policy: str, arch: str) -> None:
    text = f"{python}-{policy}_{arch}"
    assert str(parse_target(text)) == text


@pytest.mark.parametrize(
    ("text", "platform", "suffix"),
    [
        ("cp313-manylinux2014_aarch64", "manylinux_2_17_aarch64", ".cpython-313-aarch64-linux-gnu.so"),
        ("cp313t-manylinux_2_28_x86_64", "manylinux_2_28_x86_64", ".cpython-313t-x86_64-linux-gnu.so"),
        ("cp311-musllinux_1_2_aarch64", "musllinux_1_2_aarch64", ".cpython-311-aarch64-linux-musl.so"),
        ("cp310-musllinux_1_2_aarch64", "musllinux_1_2_aarch64", ".cpython-310-aarch64-linux-gnu.so"),
        ("cp312-manylinux_2_31_armv7l", "manylinux_2_31_armv7l", ".cpython-312-arm-linux-gnueabihf.so"),
        ("cp312-musllinux_1_2_armv7l", "musllinux_1_2_armv7l", ".cpython-312-arm-linux-musleabihf.so"),
        ("cp312-manylinux2014_i686", "manylinux_2_17_i686", ".cpython-312-i386-linux-gnu.so"),
        ("cp312-manylinux2014_ppc64le", "manylinux_2_17_ppc64le", ".cpython-312-powerpc64le-linux-gnu.so"),
    ],
)
def test_names_follow_the_target(text: str, platform: str, suffix: str) -> None:
    target = parse_target(text)
    assert (target.platform, target.ext_suffix) == (platform, suffix)


@pytest.mark.parametrize("text", ["cp313", "313", "3.13", "python3.13", "py313"])
def test_pythons_may_be_spelled_as_people_do(text: str) -> None:
    assert parse_python(text) == PythonTag(13)


def test_free_threaded_builds_come_after_the_ordinary_ones_and_have_no_t_in_their_python_tag() -> None:
    names = [str(tag) for tag in python_tags()]
    assert names == [*(f"cp3{minor}" for minor in range(9, 16)), "cp313t", "cp314t", "cp315t"]
    tag = parse_python("3.13t")
    assert (str(tag), tag.abi, tag.interpreter, tag.version) == ("cp313t", "cp313t", "cp313", "3.13")


def test_a_policy_between_two_of_auditwheels_is_proved_by_the_older() -> None:
    assert parse_policy("manylinux_2_33").provable == parse_policy("manylinux_2_31")
    assert parse_policy("manylinux2014").provable == parse_policy("manylinux_2_17")


def test_old_and_new_names_of_a_policy_are_one_policy_shown_under_the_old_name() -> None:
    assert parse_policy("manylinux_2_17") == parse_policy("manylinux2014") == Policy("glibc", 2, 17)
    assert str(parse_policy("manylinux_2_17")) == "manylinux2014"
    assert parse_platform("manylinux2014_aarch64") == parse_platform("manylinux_2_17_aarch64")


ARCHITECTURES = "known: aarch64, x86_64, armv7l, i686, ppc64le, s390x, riscv64"


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_architecture, "arm64", f"unknown architecture 'arm64' (did you mean aarch64?); {ARCHITECTURES}"),
        (parse_architecture, "aarch", f"unknown architecture 'aarch' (did you mean aarch64?); {ARCHITECTURES}"),
        (parse_policy, "manylinux2104", "unknown policy 'manylinux2104' (did you mean manylinux2014?); known: many"),
        (parse_policy, "manylinux_2_99", "unknown policy 'manylinux_2_99'"),
        (parse_policy, "manylinux_3_0", "unknown policy 'manylinux_3_0'"),
        (parse_policy, "musllinux_1_3", "unknown policy 'musllinux_1_3' (did you mean musllinux_1_2?); known: many"),
        (parse_policy, "", "unknown policy ''; known: manylinux1, manylinux2010, manylinux2014, "),
        (parse_python, "3.1", "unknown Python tag '3.1' (did you mean cp315?); known: cp39, "),
        (parse_python, "cp27", "unknown Python tag 'cp27'"),
        (parse_python, "cp312t", "unknown Python tag 'cp312t' (did you mean cp312?); known: cp39, "),
        (parse_platform, "many_arm", "unknown platform 'many_arm': write it as manylinux_2_28_aarch64"),
        (parse_target, "aarch64", "unknown target 'aarch64': write it as cp313-manylinux_2_28_aarch64"),
        (parse_target, "cp313-linux_aarch64", "unknown policy 'linux'"),
    ],
)  # fmt: skip
def test_unknown_names_are_refused_with_the_nearest_known_one(parse: Any, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("arch", architectures())
@pytest.mark.parametrize("policy", ["manylinux_2_36", "musllinux_1_2"])
def test_pip_looks_for_the_platforms_that_packaging_lists_there(
    arch: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    glibc = policy.startswith("many")
    monkeypatch.setattr("sysconfig.get_platform", lambda: f"linux_{arch}")
    monkeypatch.setattr("packaging._manylinux._have_compatible_abi", lambda *_: glibc)
    monkeypatch.setattr("packaging._manylinux._get_glibc_version", lambda: (2, 36))
    monkeypatch.setattr("packaging._musllinux._get_musl_version", lambda _: None if glibc else _Musl(1, 2))
    monkeypatch.setattr("packaging._manylinux._is_compatible", lambda *_: True)
    # Whether linux_ARCH comes first or last depends on the version of packaging.
    assert set(parse_target(f"cp313-{policy}_{arch}").accepted_platforms) == set(_linux_platforms(is_32bit=False))


class _Musl(NamedTuple):
    major: int
    minor: int


def test_the_usual_pythons_are_those_of_pypas_images() -> None:
    """3.13t and all before 3.9 are gone from the images."""
    there = {f"cp3{minor}" for minor in range(9, 16)} | {"cp314t", "cp315t"}
    assert {str(tag) for tag in usual_pythons()} == there
