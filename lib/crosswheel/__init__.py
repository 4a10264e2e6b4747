"""Wheels for every Linux architecture from one machine: nox sessions, invoke tasks, and the steps they are made of.

`crosswheel.sessions.add()` in a noxfile and `crosswheel.tasks.namespace` in a tasks file are the two ways in;
`crosswheel.commands` holds the same verbs as plain functions.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
