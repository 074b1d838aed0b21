"""The parts of `benchmarks/aerobat.py`: simulated sidecars, what Aerobats and Redis say of their work, the peer."""
