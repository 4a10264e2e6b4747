"""0xx: the file itself."""

from __future__ import annotations

from crosswheel.auditing.rules.rule import Worded


class UnreadableWheel(Worded):
    """The file cannot be read completely as a wheel or sdist."""

    # No check here: opening the file reports it, or a rule that reads further.
    code = "W001"
    why = "Installers refuse it too, or fail half way; the other findings for this file may be incomplete."
    fix = "build or download it again, and compare its size and sha256 with the original"
