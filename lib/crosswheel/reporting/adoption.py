"""What a plan takes over from a project's configuration for cibuildwheel, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from crosswheel.model.adoption import Adoption, OptionUse, Use
from crosswheel.model.job import Plan
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import COMMAND, Line, names_text

_STYLES: dict[Use, str] = {"taken": "", "without effect": "", "unsupported": "bold yellow"}
_LONGEST = 100  # characters of a value


def adoption_lines(plan: Plan) -> Iterator[Line]:
    """Each option of the project's cibuildwheel configuration: taken, without effect, or unsupported, and why."""
    if adoption := plan.adoption:
        yield "bold", f"as configured for cibuildwheel, read by its release {_release(adoption)}"
        everywhere = {identifier for use in adoption.options for identifier in use.identifiers}
        for use, style in _STYLES.items():
            for option in adoption.options:
                if option.use == use:
                    yield style, f"  {use:<14}  {_text(option, len(everywhere))}"
    if plan.not_taken:
        yield "bold", "not taken: CIBW_ variables in CI workflows, which are not interpreted"
        for value in plan.not_taken:
            text = one_line(value.value)
            shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
            yield "", f"  {one_line(value.file)}:{value.line}: {value.name}={shown}"
        yield COMMAND, "    try: the same command with those in its environment that matter"


def _release(adoption: Adoption) -> str:
    pinned = f"pinned in {one_line(adoption.pinned_in)}" if adoption.pinned_in else "the project pins none"
    return f"{one_line(adoption.version)} ({pinned})"


def _text(option: OptionUse, everywhere: int) -> str:
    why = f": {one_line(option.why)}" if option.why else ""
    some = "" if len(option.identifiers) == everywhere else f" for {names_text(option.identifiers)}"
    return f"{option.option}{some}{why}"


def adoption_document(plan: Plan) -> dict[str, Any]:
    """The key `cibuildwheel` of a plan or report; nothing if the project has no configuration for it."""
    adoption = plan.adoption
    if adoption is None and not plan.not_taken:
        return {}
    found: dict[str, Any] = {"not_taken": [asdict(value) for value in plan.not_taken]}
    if adoption:
        found["version"], found["pinned_in"] = adoption.version, adoption.pinned_in
        found["options"] = [asdict(option) for option in adoption.options]
    return {"cibuildwheel": found}
