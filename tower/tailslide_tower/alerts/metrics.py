"""What alerts count, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter

ATTEMPTS = ("delivered", "retried", "given_up")


class AlertMetrics:
    """The metrics of one Tower's alerts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "tailslide_tower_webhook_attempts",
            "Attempts to deliver an alert, by what came of them: delivered, retried (to be tried again), given_up.",
            ["outcome"],
            registry=registry,
        )
        self._notices = Counter(
            "tailslide_tower_notices",
            "Notices that this Tower wrote to the log, by action.",
            ["action"],
            registry=registry,
        )
        for outcome in ATTEMPTS:
            self._attempts.labels(outcome)

    def attempted(self, outcome: str) -> None:
        """Count an attempt."""
        self._attempts.labels(outcome).inc()

    def noticed(self, action: str) -> None:
        """Count a notice."""
        self._notices.labels(action).inc()
