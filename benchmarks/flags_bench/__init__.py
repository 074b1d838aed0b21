"""The parts of `benchmarks/flags.py`: servers that are compared, the load, and the measures of a sidecar's life."""
