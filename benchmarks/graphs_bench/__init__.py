"""The parts of `benchmarks/graphs.py`."""
