"""What flows through crosswheel, all of it frozen: targets, configuration, jobs, plans, outcomes, events."""
