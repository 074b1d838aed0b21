"""SDK keys: what lets an app's sidecars into NATS and Redis."""
