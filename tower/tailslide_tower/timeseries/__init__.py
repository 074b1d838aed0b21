"""Graphs: the counts of calls and evaluations over time, read from RedisTimeSeries. Nothing here decides or writes."""
