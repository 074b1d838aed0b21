"""The parts of `benchmarks/flags.py`: the servers that are compared, the load, and what is measured of a sidecar's life."""
