"""What people and machines get to see of a plan and a run; rich is imported only when something is drawn."""
