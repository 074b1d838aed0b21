"""The error that ends a start: one sentence for the person at the terminal, no traceback."""


class StartError(Exception):
    """A process cannot start or go on; the text names the setting or the address and says what was expected."""
