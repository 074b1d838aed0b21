"""What a sidecar tells of outcomes, as the tests compare it."""

from tailslide_sidecar.outcome_counts import OutcomeCounts

Told = dict[tuple[str, str, str, str], float]
"""Numbers by (metric without its prefix, target, outcome, cause)."""


def samples_of(counts: OutcomeCounts) -> Told:
    """Return all samples; the flag and the app are those of the test."""
    told: Told = {}
    for metric in counts.collect():
        for sample in metric.samples:
            labels = sample.labels
            name = metric.name.removeprefix("tailslide_sidecar_")
            told[name, labels["target"], labels.get("outcome", ""), labels.get("cause", "")] = sample.value
    return told
