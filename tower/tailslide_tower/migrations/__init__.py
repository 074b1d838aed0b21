"""The history of Tower's schema, as Alembic runs it at each start. Written by hand; there is no offline mode."""
