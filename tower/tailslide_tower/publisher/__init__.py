"""The publisher: makes the bucket `rulesets` equal to the database. It sends no changes and keeps no queue."""
