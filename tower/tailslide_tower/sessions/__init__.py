"""Logging in and out: sessions behind cookies, and the account of whoever asks."""
