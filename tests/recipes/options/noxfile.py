from crosswheel import sessions

sessions.add(
    only=["plan", "wheels"],
    arch=["aarch64"],
    policy="manylinux_2_28",
    test_command="python -m unittest discover {project}",
)
