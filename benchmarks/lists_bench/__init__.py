"""Lists of Tower on a full database: filling it, what is asked for, and how the database goes about it."""
