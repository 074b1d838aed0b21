"""NATS asks here who may connect: its auth callout, answered from the SDK keys that are good now.

`claims` has what is asked and answered, `answering` the connection that answers, `evictions` what ends connections of
revoked keys, `service` all of it together. Source: NATS ADR-26.
"""
