"""The steps of the three phases: each takes and returns values, prints nothing and knows no engine."""
