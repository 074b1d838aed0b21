"""Aerobat: the only writer of circuits; reads outcomes, opens and recovers."""
