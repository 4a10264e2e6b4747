"""Docker Engines, local or remote: the architectures they run, their images, and containers."""
