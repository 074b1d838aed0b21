"""Sidecars: which ones there are, what they answer from, and which have not been heard of for a while."""
