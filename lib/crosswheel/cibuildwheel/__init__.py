"""A project's configuration for cibuildwheel: which release reads it, what it says, and what crosswheel makes of it."""
