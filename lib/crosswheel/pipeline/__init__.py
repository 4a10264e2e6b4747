"""Which jobs there are, and how they are carried through: plan, schedule, journal, one job, all of them."""
