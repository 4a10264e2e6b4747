from crosswheel import sessions

for arch in ("aarch64", "riscv64"):
    for policy in ("manylinux_2_39", "musllinux_1_2"):
        sessions.wheels(arch, name=f"{arch}-{policy.partition('_')[0]}", policy=policy)
