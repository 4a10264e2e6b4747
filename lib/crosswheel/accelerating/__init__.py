"""`accelerate`: a command that starts containers, such as cibuildwheel, runs unchanged and faster.

    COMMAND -> shim.py, which is `docker` and `podman` in its PATH -> desk.py -> the real program

The desk answers each shim with the words to run. command_line.py tells the words of a command apart, equipment.py
makes on the engine what a container of a foreign architecture gets, and additions.py puts it into the words. tally.py
counts what was done.
"""
