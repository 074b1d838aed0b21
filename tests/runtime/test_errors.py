from tailslide_runtime import errors
from tailslide_runtime.errors import StartError


def test_an_error_at_the_start_is_its_sentence() -> None:
    assert str(StartError("TAILSLIDE_TOWER_LISTEN: 127.0.0.1:4142 is in use")) == (
        "TAILSLIDE_TOWER_LISTEN: 127.0.0.1:4142 is in use"
    )


def test_the_errors_in_a_group_are_found_at_any_depth() -> None:
    one, two, three = StartError("one"), StartError("two"), StartError("three")
    group = ExceptionGroup("outer", [one, ExceptionGroup("inner", [two, ExceptionGroup("innermost", [three])])])
    assert errors.leaves(group) == [one, two, three]
