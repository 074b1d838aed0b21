"""Tower: where people manage flags; the only writer of rulesets."""
