"""Alerts: webhooks that are told what happened to flags, and notices of what nobody would notice otherwise."""
