"""Errors that end a start, and a way through groups of errors."""


class StartError(Exception):
    """A process cannot start or go on; the text names the setting or the address and says what was expected."""


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the errors that a group holds, through all groups in it."""
    found: list[BaseException] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found.extend(leaves(error))
        else:
            found.append(error)
    return found
