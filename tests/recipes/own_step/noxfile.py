from crosswheel import CrosswheelError, sessions, steps

LARGEST = 100 * 1024 * 1024  # the limit of our index, in bytes


def limit_size(work: steps.Work) -> steps.Work:
    size = work.wheel.stat().st_size
    if size > LARGEST:
        raise CrosswheelError(f"{work.wheel.name} has {size} bytes, and our index takes {LARGEST}")
    return work


sessions.add(only=["wheels-aarch64"], steps=steps.MAKE.after("repair", limit_size))
