"""The page that one-time links open."""
