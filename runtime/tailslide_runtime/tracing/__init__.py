"""Traces, off by default: spans of a process's work, sent to a collector of OpenTelemetry. See `docs/tracing.md`.

`settings` says where to and how many; `pipeline` needs the packages of the extra `tracing`, and is imported only where
traces are on.
"""

from importlib import import_module

from tailslide_runtime.errors import StartError


def require_packages() -> None:
    """Raise `StartError` where what sends traces is not installed, or refuses one of its variables."""
    try:
        import_module("tailslide_runtime.tracing.pipeline")
    except ModuleNotFoundError as error:
        raise StartError(
            f"traces need {(error.name or 'opentelemetry').partition('.')[0]}, which is not installed: "
            "pip install 'tailslide-platform[tracing]', or leave TAILSLIDE_TRACES_URL and traces.url out"
        ) from None
    except ValueError as error:  # some variables are read with the import, such as OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT
        raise StartError(f"traces: {error}") from None
