"""Sidecars: which ones there are, what they answer from, and which have not been heard from for a while."""
