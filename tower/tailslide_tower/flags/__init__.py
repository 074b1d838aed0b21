"""Flags: what a team wants of each. What became of their calls, and their circuits' verdicts, are not Tower's facts."""
