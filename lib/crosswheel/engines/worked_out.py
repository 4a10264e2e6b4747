"""Variables of `environment` whose values only a container knows: ``PATH="$PATH:/opt/bin"``, ``JOBS="$(nproc)"``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crosswheel.containers.host import Container
from crosswheel.errors import BuildFailed
from crosswheel.model.adoption import PROJECT
from crosswheel.system.process import CommandFailed


def worked_out(
    container: Container, assignments: Iterable[tuple[str, str]], environ: Mapping[str, str], deadline: float | None
) -> dict[str, str]:
    """The values of variables in order, given as names and shell words; `environ` are the variables before them.

    The container's shell does it, at /project; the words are those that cibuildwheel accepts. Raises BuildFailed.
    """
    words = dict(assignments)
    if not words:
        return {}
    lines = ["set -e", *(f"{name}={word}\nexport {name}" for name, word in assignments)]
    shown = " ".join(f'"${name}"' for name in words)
    try:
        text = container.run(
            ["sh", "-c", "\n".join([*lines, f"printf '%s\\0' {shown}"])], env=environ, cwd=PROJECT, deadline=deadline
        )
    except CommandFailed as error:
        said = " ".join(error.output.split())
        raise BuildFailed(
            f"`environment` could not be worked out in {container.image.reference} ({error.ending}): {said}",
            hint=f"try its commands there: docker run --rm {container.image.reference} sh -c ...",
        ) from error
    return dict(zip(words, text.split("\0"), strict=False))
