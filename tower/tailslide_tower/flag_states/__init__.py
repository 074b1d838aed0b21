"""What is true of flags now: what Aerobat has said, what is published, how far it has come, and all that in words."""
