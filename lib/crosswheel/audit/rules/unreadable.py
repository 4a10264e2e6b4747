"""0xx: the file itself."""

from __future__ import annotations

from crosswheel.audit.rules.rule import Worded


class Unreadable(Worded):
    """The file cannot be read to its end as a wheel."""

    # Nothing to check: whoever opens the file finds out, or a rule that reads on.
    code = "W001"
    why = "Installers refuse it too, or stop half way; and nothing else that is said of it here can be complete."
    fix = "build or download it again, and compare its size and sha256 with those of the origin"
