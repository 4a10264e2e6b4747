/* Something to compile: what it becomes is up to tiny_backend.py. */
