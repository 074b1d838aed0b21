"""What the simulation of the circuit is made of: traffic, rules, time to trip, false trips, settings, report."""
