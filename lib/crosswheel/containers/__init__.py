"""A Docker Engine, wherever it is: what it runs, its images, and containers that never outlive their use."""
