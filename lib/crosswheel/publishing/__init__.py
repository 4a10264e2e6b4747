"""Releases on an index: repositories, uploads, verification and status."""
