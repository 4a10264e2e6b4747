"""Real sdists, built natively by pip and for AArch64 by crosswheel, run under QEMU, and compared: `nox -s corpus`."""
