"""The plan of jobs and their execution: plan, schedule, one job, the whole run."""
