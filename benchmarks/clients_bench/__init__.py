"""The parts of `benchmarks/clients.py`: drivers, servers, what is measured of clients, tables."""
