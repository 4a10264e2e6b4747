"""The verbs, one file each: `run` takes a `Call` and returns a `Result`; the function named like the verb is for code.

nox sessions, invoke tasks and the console command go through `border.py`, which shows the result and gives the exit
code (see errors.py). What prevents a result is raised.
"""

from __future__ import annotations

from crosswheel.commands.border import perform, run_verb

__all__ = ["perform", "run_verb"]
