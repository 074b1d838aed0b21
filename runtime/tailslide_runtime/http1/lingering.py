"""How long a client may go on sending after its last answer, so that it gets to read that (RFC 9112 §9.6).

What comes is discarded as it came: nothing is parsed, and nothing decompressed.
"""

LINGER_S = 5.0
LINGER_BYTES = 8 << 20
"""After so much nothing more is read, after so long the connection is closed: a reset would take the answer away."""
