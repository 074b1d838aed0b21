from tailslide_core.errors import ContractError


def test_an_error_is_one_sentence_that_names_the_field() -> None:
    error = ContractError("rollout", "expected a number from 0 to 100, got 130")
    assert str(error) == "rollout: expected a number from 0 to 100, got 130"
    assert (error.field, error.problem) == ("rollout", "expected a number from 0 to 100, got 130")
    assert isinstance(error, ValueError)


def test_a_parent_gives_the_whole_path() -> None:
    error = ContractError("initial", "expected a number").within("recovery").within("circuit")
    assert error.field == "circuit.recovery.initial"
    assert str(error) == "circuit.recovery.initial: expected a number"


def test_an_index_joins_without_a_dot() -> None:
    assert ContractError("[2]", "expected a status").within("failure_statuses").field == "failure_statuses[2]"
