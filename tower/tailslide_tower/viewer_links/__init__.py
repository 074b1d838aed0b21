"""Links that open a read-only session once."""
