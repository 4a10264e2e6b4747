"""A network bridge for one engine: two engines on docker0 would give their containers the same addresses."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from containers.program import run_program

PREFIX = "cw-"


@contextmanager
def network_bridge() -> Iterator[str]:
    """The engine gives it addresses that nobody has, and rules in the packet filter that are ours to take out."""
    name = PREFIX + secrets.token_hex(4)
    run_program("ip", "link", "add", "name", name, "type", "bridge")
    try:
        yield name
    finally:
        for table in ("filter", "nat"):
            _remove_rules(table, name)
        run_program("ip", "link", "delete", name)


def _remove_rules(table: str, bridge: str) -> None:
    for line in run_program("iptables", "--wait", "--table", table, "--list-rules").splitlines():
        rule = line.split()
        if rule[0] == "-A" and bridge in rule:
            run_program("iptables", "--wait", "--table", table, "-D", *rule[1:])
