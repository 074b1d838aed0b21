"""The one error that the pure core raises for bad input: which field, and what was expected of it."""


class ContractError(ValueError):
    """A value that does not keep a wire contract.

    `field` is the path of the offending field as its sender wrote it (`circuit.recovery.initial`),
    `problem` says what was expected and what came instead. `str(error)` is one sentence made of both.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem

    def within(self, parent: str) -> "ContractError":
        """Return the same error as seen from the object that holds `field` under the name `parent`."""
        joined = f"{parent}{self.field}" if self.field.startswith("[") else f"{parent}.{self.field}"
        return ContractError(joined, self.problem)
