"""The parts of `benchmarks/proxy.py`: the proxies that are compared, their upstreams, the loads and the rounds."""
