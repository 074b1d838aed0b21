"""The sidecar: answers flags on localhost and proxies the calls to flagged features."""
