"""The same verbs for invoke: `invoke plan`, `invoke wheels --arch aarch64 --source kiwisolver`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "lib"))

from crosswheel.tasks import namespace

__all__ = ["namespace"]
