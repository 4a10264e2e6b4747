"""Maintenance of an installation: the diagnosis of `doctor`, and the caches."""
