"""The audit of wheels: rules for one wheel, platform policies, and rules for a set of wheels."""
