from __future__ import annotations

from typing import Any

import pytest

from crosswheel.errors import UsageError
from crosswheel.model.flags import flag_options, parse_flags, split_command


def test_what_was_not_given_is_not_there() -> None:
    assert parse_flags([], "wheels") == {}


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["kiwisolver"], {"source": "kiwisolver"}),
        (["--source", "kiwisolver==1.4.9"], {"source": "kiwisolver==1.4.9"}),
        (["--python", "cp312, cp313,"], {"python": ["cp312", "cp313"]}),
        (["--arch=s390x,riscv64"], {"arch": ["s390x", "riscv64"]}),
        (["--jobs", "4"], {"jobs": 4}),
        (["--fail-fast", "--dry-run"], {"fail-fast": True, "dry-run": True}),
        (["--download-python", "never"], {"download-python": "never"}),
        (["--policy", "musllinux_1_2", "."], {"policy": "musllinux_1_2", "source": "."}),
        (["--output", "out", "--json", "x.json"], {"output": "out", "json": "x.json"}),
        (["--engine", "cross", "--timeout", "60"], {"engine": "cross", "timeout": 60}),
    ],
)  # fmt: skip
def test_flags_become_options_of_their_types(arguments: list[str], given: dict[str, Any]) -> None:
    assert parse_flags(arguments, "wheels") == given


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ([], {}),
        (["a.whl", "b,c.whl"], {"wheels": ["a.whl", "b,c.whl"]}),
        (["--wheels", "a.whl,b.whl"], {"wheels": ["a.whl", "b.whl"]}),
        (["a.whl", "--json", "x.json", "b.whl"], {"wheels": ["a.whl", "b.whl"], "json": "x.json"}),
        (["--sarif=x.sarif", "wheelhouse"], {"wheels": ["wheelhouse"], "sarif": "x.sarif"}),
        (["--rules"], {"rules": True}),
    ],
)
def test_a_verb_may_take_many_words_wherever_they_stand(arguments: list[str], given: dict[str, Any]) -> None:
    assert parse_flags(arguments, "audit") == given


def test_a_mistaken_flag_among_many_words_is_told() -> None:
    with pytest.raises(UsageError, match=r"unrecognized arguments: --jsn \(did you mean --json\?\)"):
        parse_flags(["a.whl", "--jsn", "x.json"], "audit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--polcy", "x"], "unrecognized arguments: --polcy (did you mean --policy?)"),
        (["--of-line", "--jbos=2"], "unrecognized arguments: --of-line (did you mean --offline?) --jbos=2 (did you"),
        (["--pol", "manylinux2014"], "unrecognized arguments: --pol"),
        (["one", "two"], "unrecognized arguments: two"),
        (["--policy"], "argument --policy: expected one argument"),
        (["--jobs", "many"], "--jobs: must be a number, not 'many'"),
        (["--sysroot", "x"], "unrecognized arguments: --sysroot (can only be set in pyproject.toml)"),
        (["--policy", "manylinux2014", "--policy=musllinux_1_2"], "--policy was given twice"),
        (["kiwisolver", "--source", "."], "give the source once: as --source or as a word"),
    ],
)
def test_what_cannot_be_a_flag_is_an_error_of_ours_and_not_the_end_of_nox(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags(arguments, "wheels", "wheels-aarch64")
    assert caught.value.message.startswith(message)


def test_a_flag_that_takes_several_values_may_be_given_for_each() -> None:
    words = ["--python", "cp312", "markupsafe", "--python=cp313,cp314", "--arch", "aarch64", "--python", "cp315"]
    values = parse_flags(words, "wheels")
    assert values == {"source": "markupsafe", "python": ["cp312", "cp313", "cp314", "cp315"], "arch": ["aarch64"]}


def test_the_hint_is_the_sessions_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags(["--polcy"], "wheels", "wheels-aarch64")
    assert caught.value.hint == "nox -s wheels-aarch64 -- --help"
    with pytest.raises(SystemExit) as ended:
        parse_flags(["--help"], "wheels", "wheels-aarch64")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: nox -s wheels-aarch64 -- ")
    assert not [option.name for option in flag_options("wheels") if f"--{option.name}" not in text]


def test_the_flags_that_others_rely_on_are_there() -> None:
    fixed = {
        "python",
        "policy",
        "engine",
        "jobs",
        "output",
        "dry-run",
        "json",
        "fail-fast",
        "offline",
        "source",
        "arch",
    }
    assert fixed <= {option.name for option in flag_options("wheels")}


def test_the_words_of_a_command_keep_flags_of_their_own() -> None:
    words = ["--dry-run", "--json", "x.json", "cibuildwheel", "--archs", "a,b", "--json", "it's"]
    found = {"dry-run": True, "json": "x.json", "command": "cibuildwheel --archs a,b --json 'it'\"'\"'s'"}
    assert parse_flags(words, "accelerate") == found
    assert parse_flags([*words[:3], "--", *words[3:]], "accelerate") == found
    assert parse_flags(["--", "--odd"], "accelerate") == {"command": "--odd"}
    assert split_command(["a", "--b"], "wheels") == (["a", "--b"], [])
