"""Tailslide's decisions, pure: evaluation, bucketing, outcomes, the circuit, the wire contracts. No I/O here."""
