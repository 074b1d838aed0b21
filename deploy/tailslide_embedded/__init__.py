"""The `tailslide` command, and everything on one machine in one command."""
