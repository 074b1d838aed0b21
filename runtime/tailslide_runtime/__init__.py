"""What every Tailslide process runs on: logs, signals, errors in one sentence, the link to JetStream."""
