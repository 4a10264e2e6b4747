"""Four modules, three of them with what only gcc compiles."""
