"""The words of docker and podman: which of them are options, the image, and the command in the container."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from crosswheel.model.targets import load_table


class NotUnderstood(Exception):  # noqa: N818 - reads as what happened
    """A command whose image cannot be found among its words, and why."""


@dataclass(frozen=True)
class ContainerCommand:
    """A `create` or `run`: the words in front of the image, the image, and the words after it.

    `options` and `program_options` are (name, value) pairs by long name or letter; the value of a switch is None.
    `program_words` are the words of the latter, in front of the verb. `at` is where in `front` options can be added.
    """

    verb: str
    front: tuple[str, ...]
    image: str
    rest: tuple[str, ...]
    at: int
    options: tuple[tuple[str, str | None], ...]
    program_options: tuple[tuple[str, str | None], ...]
    program_words: tuple[str, ...]

    def values(self, *names: str) -> list[str]:
        """The values of an option by its names, in order."""
        return [value for name, value in self.options if name in names and value is not None]

    def has(self, *names: str) -> bool:
        return any(name in names and value != "false" for name, value in self.options)

    def with_options(self, options: Sequence[str]) -> tuple[str, ...]:
        """The words with further options, which win over those in front of them."""
        return (*self.front[: self.at], *options, *self.front[self.at :], self.image, *self.rest)

    @property
    def variables(self) -> dict[str, str | None]:
        """The environment variables by name; None for a value that the program takes from its own environment."""
        found: dict[str, str | None] = {}
        for text in self.values("env", "e"):
            name, equals, value = text.partition("=")
            found[name] = value if equals else None
        return found

    @property
    def mount_points(self) -> list[str]:
        """The paths in the container that the command mounts something at."""
        volumes = [text.split(":")[1] if ":" in text else text for text in self.values("volume", "v")]
        settings = [
            dict(part.partition("=")[::2] for part in text.split(",") if "=" in part) for text in self.values("mount")
        ]
        keys = ("target", "dst", "destination")
        mounts = [one[key] for one in settings for key in keys if key in one]
        return [*volumes, *mounts, *(text.split(":")[0] for text in self.values("tmpfs"))]


def verb_of(program: str, words: Sequence[str]) -> str:
    """The verb of a command, ``create`` for ``docker container create`` too; empty if there is none."""
    try:
        _, at = _options(words, 0, load_table("container-programs.toml")[program])
    except NotUnderstood:
        return ""
    verbs = words[at : at + 2]
    return verbs[1] if verbs[:1] == ["container"] and len(verbs) > 1 else next(iter(verbs), "")


def parse(program: str, words: Sequence[str]) -> ContainerCommand | None:
    """The parts of a `create` or `run`; None for any other command. Raises NotUnderstood."""
    table = load_table("container-programs.toml")
    if (verb := verb_of(program, words)) not in {"create", "run"}:
        return None
    program_options, verb_at = _options(words, 0, table[program])
    at = verb_at + (2 if words[verb_at] == "container" else 1)
    options, image = _options(words, at, table["container"])
    if image >= len(words):
        raise NotUnderstood("it names no image")
    # Behind the word `--` there are no options.
    end = image - 1 if image > at and words[image - 1] == "--" else image
    return ContainerCommand(
        verb=verb,
        front=tuple(words[:image]),
        image=words[image],
        rest=tuple(words[image + 1 :]),
        at=end,
        options=options,
        program_options=program_options,
        program_words=tuple(words[:verb_at]),
    )


def _options(words: Sequence[str], start: int, known: dict[str, Any]) -> tuple[tuple[tuple[str, str | None], ...], int]:
    """The options from `start` on, and the index of the first word that is none."""
    found: list[tuple[str, str | None]] = []
    at = start
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        word = words[at]
        at += 1
        if word == "--":
            break
        pairs, open_ended = _long(word, known) if word.startswith("--") else _short(word, known)
        if open_ended:
            if at >= len(words):
                raise NotUnderstood(f"{word} has no value")
            pairs[-1] = (pairs[-1][0], words[at])
            at += 1
        found += pairs
    return tuple(found), at


def _long(word: str, known: dict[str, Any]) -> tuple[list[tuple[str, str | None]], bool]:
    """The option of a word such as ``--env=A=1``, and whether the next word is its value."""
    name, equals, value = word[2:].partition("=")
    if name not in known["values"] and name not in known["switches"]:
        raise NotUnderstood(f"its option --{name} is not known")
    return [(name, value if equals else None)], not equals and name in known["values"]


def _short(word: str, known: dict[str, Any]) -> tuple[list[tuple[str, str | None]], bool]:
    """The options of a word such as ``-it`` or ``-ieA=1``, and whether the next word is the last one's value."""
    found: list[tuple[str, str | None]] = []
    for letter, rest in _letters(word[1:]):
        if letter in known["short-values"]:
            found.append((letter, rest.removeprefix("=") if rest else None))
            return found, not rest
        if letter not in known["short-switches"]:
            raise NotUnderstood(f"its option -{letter} is not known")
        if rest.startswith("="):
            found.append((letter, rest[1:]))
            return found, False
        found.append((letter, None))
    return found, False


def _letters(text: str) -> Iterator[tuple[str, str]]:
    """Each letter with what follows it."""
    return ((letter, text[at + 1 :]) for at, letter in enumerate(text))
