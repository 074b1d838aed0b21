"""The `tailslide` command: what one can type. Each module has one subject; all of these ask Tower through its API."""
