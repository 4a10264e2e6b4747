"""What the test command runs: the wheel, with what its extra and the configuration brought."""

import sys
from importlib import import_module

fast = import_module("fast")
assert fast.answer() == 42
assert "/crosswheel/cp3" in str(fast.__file__)
names = [import_module(name).__name__ for name in ("iniconfig", "packaging")]
sys.stdout.write(f"checked with {' '.join(names)}\n")
