"""Answers the shims of a running command through a socket, and measures the programs that they become."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosswheel.accelerating.command_line import verb_of

_MOST = 64  # commands at the same time


@dataclass(frozen=True)
class Question:
    """The command of a shim: the program's name and path, its words, and the environment of its caller."""

    program: str
    path: str
    words: tuple[str, ...]
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """The words to run instead, or a refusal: a text for standard error."""

    words: tuple[str, ...]
    refusal: str | None = None


@dataclass(frozen=True)
class Ran:
    """A command of the program that was run: its verb and the seconds until its end."""

    program: str
    verb: str
    seconds: float


@dataclass
class Desk:
    """`address` is the path of its socket; `ran` grows as programs end."""

    address: Path
    ran: list[Ran] = field(default_factory=list)


@contextmanager
def open_desk(folder: Path, answer: Callable[[Question], Answer]) -> Iterator[Desk]:
    """Answer in threads until the end of the block; at the end programs that still run are no longer measured.

    Answers in the making are awaited: what they have begun on an engine is put in order.
    """
    desk = Desk(folder / "desk")
    with ThreadPoolExecutor(_MOST) as pool, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(desk.address))
        listening.listen(_MOST)

        def answered(question: Question) -> Answer:
            return pool.submit(answer, question).result()

        threading.Thread(target=_serve, args=(listening, desk, answered), daemon=True).start()
        try:
            yield desk
        finally:
            desk.address.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, desk: Desk, answer: Callable[[Question], Answer]) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_serve_one, args=(connection, desk, answer), daemon=True).start()


def _serve_one(connection: socket.socket, desk: Desk, answer: Callable[[Question], Answer]) -> None:
    began = time.monotonic()
    # A shim may be killed at any moment, or ask when the pool is shut down already (RuntimeError).
    with connection, contextlib.suppress(OSError, ValueError, RuntimeError):
        with connection.makefile("rb") as lines:
            question = _question(json.loads(lines.readline()))
        given = answer(question)
        connection.sendall(json.dumps({"words": given.words, "refusal": given.refusal}).encode() + b"\n")
        connection.recv(1)  # the end of the program closes it
        desk.ran.append(Ran(question.program, verb_of(question.program, question.words), time.monotonic() - began))


def _question(found: Mapping[str, Any]) -> Question:
    return Question(found["program"], found["path"], tuple(found["words"]), found["environ"])
