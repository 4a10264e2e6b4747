"""Programs that run in an environment with cibuildwheel: they import nothing of crosswheel."""
