"""Invitations: a person gets an account by a link that works once."""
