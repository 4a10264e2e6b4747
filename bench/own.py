"""crosswheel, and how long it waited for what it started: python bench/own.py FILE WORD...

FILE gets the seconds as JSON: `commands` are those of environments, build requirements and hooks, which whoever builds
a wheel has to run. All else is crosswheel's own, its containers, copies, repair and audit with it. One job at a time.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from crosswheel.containers.container import Container
from crosswheel.engines.workspace import HostWorkspace
from crosswheel.system.local_host import LocalHost

_COMMANDS = (
    (LocalHost, "make_environment"),
    (LocalHost, "install"),
    (HostWorkspace, "run_hook"),
    (Container, "run"),
)
_OWN = (Container, "_send")  # copies what waits for a command, before that runs


@contextmanager
def counted() -> Iterator[list[float]]:
    """Gives what each command took, as they end."""
    taken: list[float] = []
    with ExitStack() as stack:
        for owner, name in _COMMANDS:
            stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), taken)))
        owner, name = _OWN
        stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), taken, -1)))
        yield taken


def _timed(run: Callable[..., Any], taken: list[float], sign: int = 1) -> Callable[..., Any]:
    @functools.wraps(run)
    def timed(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return run(*args, **options)
        finally:
            taken.append(sign * (time.perf_counter() - began))

    return timed


if __name__ == "__main__":
    from crosswheel.tasks import main

    with counted() as seconds:
        try:
            main(sys.argv[1:])
        finally:
            Path(sys.argv[1]).write_text(json.dumps({"commands": sum(seconds)}))
