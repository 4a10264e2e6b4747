"""What wheels of any builder say and hold, judged: rules, policies, and many wheels side by side."""
