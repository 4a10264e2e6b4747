"""What this machine's kernel permits without an engine, and which architectures run so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from crosswheel.containers.emulation import Running
from crosswheel.containers.namespace_host import NamespaceHost
from crosswheel.errors import CannotRun
from crosswheel.model.config import Config
from crosswheel.model.targets import Architecture
from crosswheel.system.cgroups import may_limit_memory
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import answers_in
from crosswheel.system.namespace_support import Allowed
from crosswheel.system.refusal import Refusal
from crosswheel.system.subordinate_ids import find_maps, this_user, try_maps


@dataclass(frozen=True)
class NamespaceState:
    """The permissions of this kernel, and how programs of the wanted architectures run in namespaces.

    `limits_memory` says whether containers have a limit of memory, and `other_users` why they have no other user than
    root; None if they have.
    """

    allowed: Allowed
    answers: Mapping[Architecture, Running | CannotRun] = field(default_factory=dict)
    limits_memory: bool = False
    other_users: Refusal | None = None

    @property
    def refusal(self) -> Refusal | None:
        """Why there are no containers without an engine; None if there are."""
        return self.allowed.namespaces or self.allowed.overlay


def look(config: Config, host: LocalHost) -> NamespaceState:
    """Make some namespaces, and run a program of each wanted architecture in them."""
    found = NamespaceState(host.allowed)
    if found.refusal:
        return found
    answers = NamespaceHost(host).survey(config.build.arch, answers_in(host.cache))
    other_users = try_maps(find_maps(this_user()), host.processes)
    return NamespaceState(host.allowed, answers, may_limit_memory(), other_users)


def remedies(state: NamespaceState) -> Iterator[tuple[str, str]]:
    """What stands in the way, and the command that removes it."""
    if state.refusal:
        yield f"no containers without an engine: {state.refusal.reason}", state.refusal.hint
    for answer in state.answers.values():
        if isinstance(answer, CannotRun):
            yield answer.message, answer.hint
