"""Trying flags out: what a flag would give to whom, line by line. Nothing is saved, and nothing is counted."""
