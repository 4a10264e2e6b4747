"""Readers and writers of file formats, safe for untrusted input: wheels, sdists, archives, ELF, instructions."""
