"""Apps: what flags belong to, and what a sidecar serves."""
