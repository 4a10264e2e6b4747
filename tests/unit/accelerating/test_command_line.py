"""Docker's and podman's words: which are options, which is the image, and where ours are added."""

from __future__ import annotations

import shlex

import pytest

from crosswheel.accelerating.additions import Additions, refusal, with_additions
from crosswheel.accelerating.command_line import ContainerCommand, NotUnderstood, parse, verb_of

ADDITIONS = Additions(
    volumes={"tools": "/opt/crosswheel", "cache": "/var/cache/crosswheel"},
    path=("/opt/crosswheel/ccache/bin", "/opt/crosswheel/clang/bin"),
    environ={"QEMU_CPU": "max,pauth=off", "PIP_CACHE_DIR": "/var/cache/crosswheel/pip"},
    writable=frozenset({"cache"}),
    labels={"a": "b"},
)
CIBUILDWHEEL = (
    "create --env=CIBUILDWHEEL --env=SOURCE_DATE_EPOCH --name=c-1 --interactive --volume=/:/host "
    "--platform=linux/arm64 --pull=never IMAGE /bin/bash"
)


def parsed(text: str, program: str = "docker") -> ContainerCommand:
    command = parse(program, shlex.split(text))
    assert command
    return command


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (CIBUILDWHEEL, ["/bin/bash"]),
        ("run IMAGE", []),
        ("run --rm -it IMAGE sh -c 'gcc -v'", ["sh", "-c", "gcc -v"]),
        ("container run -itv /a:/b -eA=1 -e B=2 IMAGE -v --rm", ["-v", "--rm"]),
        ("-H tcp://x:1 --log-level debug run --init=true --env A=--rm IMAGE", []),
        ("--context=far -D create -w=/io --user 1:2 -- IMAGE make wheels", ["make", "wheels"]),
        ("run -v '/a b:/io' --entrypoint '' IMAGE ''", [""]),
    ],
)
def test_the_image_is_found_among_the_words(text: str, rest: list[str]) -> None:
    command = parsed(text)
    assert command.image == "IMAGE"
    assert list(command.rest) == rest
    assert command.with_options([]) == tuple(shlex.split(text))


def test_podman_has_options_of_its_own() -> None:
    words = "--root /x --cgroup-manager=cgroupfs run --arch arm64 --tls-verify=false --replace IMAGE true"
    command = parsed(words, "podman")
    assert command.image == "IMAGE"
    assert list(command.program_words) == ["--root", "/x", "--cgroup-manager=cgroupfs"]
    with pytest.raises(NotUnderstood):
        parse("podman", ["run", "--no-such-option", "IMAGE"])
    assert parse("docker", shlex.split(words)) is None, "--root is no option of docker, which will say so"


@pytest.mark.parametrize(
    "text",
    ["", "version -f '{{json .}}'", "exec -i c-1 tar -x", "start --attach c-1", "--help", "container ls"],
)
def test_other_commands_are_none_of_ours(text: str) -> None:
    assert parse("docker", shlex.split(text)) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("run --no-such-option IMAGE", "--no-such-option is not known"),
        ("run -Z IMAGE", "-Z is not known"),
        ("create --env", "--env has no value"),
        ("create -i", "names no image"),
    ],
)
def test_what_is_not_understood_says_why(text: str, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        parse("docker", shlex.split(text))


def test_verbs() -> None:
    assert verb_of("docker", ["container", "start", "x"]) == "start"
    assert verb_of("docker", ["-l", "debug", "cp", "x"]) == "cp"
    assert verb_of("docker", ["--unknown", "cp"]) == ""


def test_a_container_gets_the_additions_and_keeps_all_of_its_own() -> None:
    words = with_additions(parsed(CIBUILDWHEEL), ADDITIONS, "/usr/local/bin:/bin", {})
    image = words.index("IMAGE")
    own = shlex.split(CIBUILDWHEEL)
    assert [*words[: own.index("IMAGE")], *words[image:]] == own
    assert list(words[own.index("IMAGE") : image]) == [
        "--volume=tools:/opt/crosswheel:ro",
        "--volume=cache:/var/cache/crosswheel",
        "--env=QEMU_CPU=max,pauth=off",
        "--env=PIP_CACHE_DIR=/var/cache/crosswheel/pip",
        "--env=PATH=/opt/crosswheel/ccache/bin:/opt/crosswheel/clang/bin:/usr/local/bin:/bin",
        "--label=a=b",
    ]


def test_the_commands_own_variables_win_and_its_path_is_kept() -> None:
    words = with_additions(
        parsed("run -e QEMU_CPU=max --env PATH=/own -e PIP_CACHE_DIR IMAGE"), ADDITIONS, "/image", {}
    )
    assert "--env=QEMU_CPU=max,pauth=off" not in words
    assert words[-3] == "--env=PATH=/opt/crosswheel/ccache/bin:/opt/crosswheel/clang/bin:/own"
    assert "--env=PIP_CACHE_DIR=/var/cache/crosswheel/pip" in words, "a name that the caller does not set"
    given = with_additions(parsed("run -e PATH IMAGE"), ADDITIONS, "/image", {"PATH": "/callers"})
    assert given[-3].endswith(":/callers")


def test_options_are_added_before_the_end_of_options() -> None:
    words = parsed("run -i -- IMAGE x").with_options(["--rm"])
    assert words == ("run", "-i", "--rm", "--", "IMAGE", "x")


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("-v /:/host", False),
        ("-v /src:/opt/crosswheel", True),
        ("--mount type=bind,src=/a,target=/opt", True),
        ("--tmpfs /var/cache/crosswheel:rw", True),
        ("--tmpfs /tmp", False),
        ("--volume /opt/other", False),
    ],
)
def test_mounts_in_the_same_place_are_left_alone(text: str, *, refused: bool) -> None:
    assert bool(refusal(parsed(f"run {text} IMAGE"), ADDITIONS)) is refused
