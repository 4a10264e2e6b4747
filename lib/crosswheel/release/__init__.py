"""From finished files to an index that serves them: where it is, what it has, and whether users get it."""
