"""Frozen values: targets, configuration, jobs, plans, outcomes, events."""
