"""The program that is `docker` or `podman` for an accelerated command; it imports nothing of crosswheel.

It asks the desk which words to run, and becomes the real program: input, output, signals and exit code are that
program's own. The connection stays open as long as the program runs, so that the desk can measure it. Without a desk
the words stay as they are.
"""

from __future__ import annotations

import json
import os
import socket
import sys

# Exit codes of shells (POSIX, "Exit Status for Commands") and of docker run ("docker run", "Exit status").
_NOT_FOUND, _NOT_EXECUTABLE, _NOT_STARTED = 127, 126, 125


def main(address: str, program: str, *words: str) -> int:
    """Run `program`, an absolute path, with these words or those that the desk at `address` gives instead."""
    name = program.rpartition("/")[2]
    chosen, refusal = _asked(address, name, program, words)
    if refusal is not None:
        sys.stderr.write(f"{refusal}\n")
        return _NOT_STARTED
    try:
        os.execv(program, [name, *chosen])  # noqa: S606 - no shell may touch the words
    except FileNotFoundError:
        code, why = _NOT_FOUND, "it is not there any more"
    except OSError as error:
        code, why = _NOT_EXECUTABLE, os.strerror(error.errno or 0)
    sys.stderr.write(f"crosswheel: {program}: {why}\n")
    return code


def _asked(address: str, name: str, program: str, words: tuple[str, ...]) -> tuple[list[str], str | None]:
    """The words to run, or a refusal."""
    question = {"program": name, "path": program, "words": words, "environ": dict(os.environ)}
    desk = socket.socket(socket.AF_UNIX)
    try:
        desk.connect(address)
        desk.sendall(json.dumps(question).encode() + b"\n")
        with desk.makefile("rb") as answers:
            answer = json.loads(answers.readline())
        os.set_inheritable(desk.detach(), True)
    except (OSError, ValueError):
        return list(words), None
    return answer["words"], answer["refusal"]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
