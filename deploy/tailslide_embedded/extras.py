"""What a command says when the extra that it needs is not installed.

The base of the package is what a sidecar needs, and the commands that ask Tower through its API. `pyproject.toml` says
what each extra adds.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tailslide_runtime.errors import StartError

_OURS = "tailslide_"


@contextmanager
def from_extra(extra: str, command: str) -> Iterator[None]:
    """Turn a failed import of another project's module into a StartError that says what to install.

    Put only the imports of `command` into the block: a module that is missing later is a defect of ours.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(_OURS):
            raise
        raise StartError(
            f"{command} needs {error.name}, which is not installed: pip install 'tailslide-platform[{extra}]'"
        ) from error
