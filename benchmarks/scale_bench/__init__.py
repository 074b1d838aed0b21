"""The parts of `benchmarks/tower_scale.py`."""
