"""CPython's command python3-config, answered by the running interpreter: for the target, if it impersonates it.

python -I -m _crosswheel.python_config --extension-suffix
"""

import sys
import sysconfig

_OPTIONS = (
    "--prefix", "--exec-prefix", "--includes", "--libs", "--cflags", "--ldflags", "--extension-suffix", "--help",
    "--abiflags", "--configdir", "--embed",
)  # fmt: skip
_USAGE = f"Usage: python3-config [{'|'.join(_OPTIONS)}]\n"


def main(*words: str) -> int:
    if not words or any(word not in _OPTIONS for word in words):
        sys.stderr.write(_USAGE)
        return 1
    if "--help" in words:
        sys.stderr.write(_USAGE)
        return 0
    for word in words:
        if word != "--embed":
            sys.stdout.write(_answer(word, embed="--embed" in words) + "\n")
    return 0


def _answer(option: str, *, embed: bool) -> str:
    told = sysconfig.get_config_vars()
    version = told["VERSION"] + sys.abiflags
    includes = [f"-I{told['INCLUDEPY']}", f"-I{told['CONFINCLUDEPY']}"]
    libraries = [*([f"-lpython{version}"] if embed else []), *told["LIBS"].split(), *told["SYSLIBS"].split()]
    answers = {
        "--prefix": [told["installed_base"]],
        "--exec-prefix": [told["installed_platbase"]],
        "--includes": includes,
        "--cflags": [*includes, *told["CFLAGS"].split()],
        "--libs": libraries,
        "--ldflags": [f"-L{told['LIBPL']}", f"-L{told['LIBDIR']}", *libraries],
        "--extension-suffix": [told["EXT_SUFFIX"]],
        "--abiflags": [sys.abiflags],
        "--configdir": [told["LIBPL"]],
    }
    return " ".join(answers[option])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
