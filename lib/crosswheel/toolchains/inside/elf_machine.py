"""For which machine a file is; read without a library, because interpreters of every version start with it."""

# The bytes of an ELF header up to e_machine, and the first of them that depends on the machine: EI_CLASS (elf(5)).
_LENGTH, _CLASS, _MACHINE = 20, 4, 18


def machine_of(path: str) -> "tuple[int, bytes] | None":
    """The class and the machine of an ELF file, or None."""
    try:
        with open(path, "rb") as file:
            head = file.read(_LENGTH)
    except OSError:
        return None
    is_elf = len(head) == _LENGTH and head.startswith(b"\x7fELF")
    return (head[_CLASS], head[_MACHINE:]) if is_elf else None
