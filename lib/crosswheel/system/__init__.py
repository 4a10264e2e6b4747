"""The machine that crosswheel runs on: processes, terminal, locks, scratch folders, interpreters, index and git."""
