"""The operators of conditions, by their names on the wire."""

from enum import StrEnum


class Operator(StrEnum):
    """How a condition compares."""

    IN = "in"
    NOT_IN = "not_in"
    EQUALS = "equals"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    BEFORE = "before"
    AFTER = "after"
    IP_IN = "ip_in"
    SEMVER_EQ = "semver_eq"
    SEMVER_LT = "semver_lt"
    SEMVER_LE = "semver_le"
    SEMVER_GT = "semver_gt"
    SEMVER_GE = "semver_ge"
    SEMVER_IN = "semver_in"
    EXISTS = "exists"
    IN_SEGMENT = "in_segment"


LOOKUPS = frozenset({Operator.IN, Operator.NOT_IN, Operator.EQUALS})
"""Operators that look an attribute up among their values."""

TEXT_OPERATORS = LOOKUPS | {Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.MATCHES}
"""Operators that compare texts, and can ignore case."""

WRITING = (TEXT_OPERATORS - LOOKUPS) | {operator for operator in Operator if operator.startswith("semver_")}
"""Operators that compare numbers and booleans by how they are written, too."""
