import importlib
import platform
import sys
import sysconfig
from pathlib import Path

sys.path.insert(0, sys.argv[1])
runs_by_cmake = importlib.import_module("runs_by_cmake")

Path(sys.argv[2]).write_text(
    f"ANSWER = {runs_by_cmake.answer()!r}\n"
    f"MACHINE = {platform.machine()!r}\n"
    f"SUFFIX = {sysconfig.get_config_var('EXT_SUFFIX')!r}\n"
)
