from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import Closed, ListenAddress, explain, load, problems, read_hosts


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4141", ListenAddress("127.0.0.1", 4141)),
        ("localhost:0", ListenAddress("localhost", 0)),
        ("0.0.0.0:65535", ListenAddress("0.0.0.0", 65535)),
        ("[::1]:80", ListenAddress("::1", 80)),
        ("unix:/run/tailslide/flags.sock", ListenAddress(path=Path("/run/tailslide/flags.sock"))),
    ],
)
def test_an_address_is_read_and_written(text: str, address: ListenAddress) -> None:
    assert ListenAddress.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        *[
            "4141",
            ":4141",
            "localhost",
            "localhost:",
            "localhost:x",
            "a:65536",
            "a:-1",
            "a:123456",
            "::1:80",
            "[]:80",
            "http://a:80",
        ],
        *["", "a b:80", "a:80 ", "a:\u0668\u0660", "unix:", "unix:relative/path", "unix:/a\0b", "unix"],
    ],
)
def test_any_other_text_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(
        ValueError, match=r'^expected (host:port with a port of 0 to 65535, or )?unix:/absolute/path, got "'
    ):
        ListenAddress.parse(text)


@given(st.text())
def test_a_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = ListenAddress.parse(text)
    except ValueError:
        return
    assert ListenAddress.parse(str(address)) == address


class Example(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", frozen=True)

    tick_ms: Annotated[int, Field(ge=50, le=1000)] = 250
    example_listen: Annotated[ListenAddress, NoDecode] = ListenAddress("127.0.0.1", 4143)
    hosts: list[str] = []
    name: str
    home: Annotated[str, Field(examples=["Delft"])]

    @model_validator(mode="after")
    def _is_calm(self) -> "Example":
        if self.name == "hasty" and self.tick_ms < 100:
            raise ValueError("expected tick_ms of at least 100 for who is hasty")
        return self


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for field in Example.model_fields:
        monkeypatch.delenv(f"TAILSLIDE_{field.upper()}", raising=False)
    monkeypatch.setenv("TAILSLIDE_NAME", "example")
    monkeypatch.setenv("TAILSLIDE_HOME", "Leiden")
    return monkeypatch


def test_settings_come_from_the_environment_over_defaults(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAILSLIDE_TICK_MS", "500")
    environment.setenv("TAILSLIDE_EXAMPLE_LISTEN", "unix:/tmp/example.sock")
    settings = load(Example)
    assert (settings.tick_ms, settings.name, settings.hosts) == (500, "example", [])
    assert settings.example_listen == ListenAddress(path=Path("/tmp/example.sock"))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"TAILSLIDE_TICK_MS": "soon"}, 'TAILSLIDE_TICK_MS: expected a valid integer, .*, got "soon"'),
        ({"TAILSLIDE_TICK_MS": "20"}, 'TAILSLIDE_TICK_MS: expected greater than or equal to 50, got "20"'),
        ({"TAILSLIDE_EXAMPLE_LISTEN": "4143"}, 'TAILSLIDE_EXAMPLE_LISTEN: expected host:port .*, got "4143"'),
        ({"TAILSLIDE_HOSTS": "a,b"}, "TAILSLIDE_HOSTS: expected JSON, which this is not"),
        ({"TAILSLIDE_HOSTS": '["a", {}]'}, r"TAILSLIDE_HOSTS\[1\]: expected a valid string, got {}"),
        ({"TAILSLIDE_NAME": None}, "TAILSLIDE_NAME: a value is required"),
        ({"TAILSLIDE_HOME": None}, "TAILSLIDE_HOME: a value is required, like Delft"),
        (
            {"TAILSLIDE_NAME": "hasty", "TAILSLIDE_TICK_MS": "50"},
            "environment: expected tick_ms of at least 100 for who is hasty",
        ),
        (
            {"TAILSLIDE_NAME": None, "TAILSLIDE_EXAMPLE_LISTEN": "x"},
            'TAILSLIDE_EXAMPLE_LISTEN: expected host:port .*, got "x"; TAILSLIDE_NAME: a value is required',
        ),
    ],
)
def test_a_wrong_variable_is_named_in_one_sentence(
    environment: pytest.MonkeyPatch, variables: dict[str, str | None], sentence: str
) -> None:
    for name, value in variables.items():
        if value is None:
            environment.delenv(name)
        else:
            environment.setenv(name, value)
    with pytest.raises(StartError, match=rf"^{sentence}$") as caught:
        load(Example)
    assert "\n" not in str(caught.value)


class Route(Closed):
    path: str
    timeout_ms: int = 2000


class File(Closed):
    app: str
    routes: tuple[Route, ...] = ()


def refusals(model: type[BaseModel], content: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(content)
    return caught.value


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({}, [("app", "a value is required")]),
        ({"app": "a", "colour": 1}, [("colour", "unknown field")]),
        ({"app": 5}, [("app", "expected a valid string, got 5")]),
        (
            {"app": "a", "routes": [{"path": "/"}, {"path": None}]},
            [("routes[1].path", "expected a valid string, got null")],
        ),
        ({"app": "a", "routes": [{"path": "/", "timout_ms": 5}]}, [("routes[0].timout_ms", "unknown field")]),
        ([], [("body", "expected an object, got []")]),
    ],
)
def test_problems_are_paths_with_what_was_expected(content: object, found: list[tuple[str, str]]) -> None:
    assert problems(refusals(File, content)) == found


def test_problems_are_explained_in_one_sentence() -> None:
    error = refusals(File, {"app": 5, "colour": 1})
    assert explain(error) == "app: expected a valid string, got 5; colour: unknown field"
    assert explain(error, str.upper) == "APP: expected a valid string, got 5; COLOUR: unknown field"


def test_what_came_is_quoted_shortened() -> None:
    assert len(explain(refusals(File, {"app": ["x" * 10_000]}))) < 150


def test_what_people_write_does_not_change_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Route(path="/").path = "/other"  # type: ignore[misc] # that it cannot be assigned is what this shows


def test_names_of_hosts_are_names_and_addresses() -> None:
    text = "tower.example.org, 10.0.0.1,::1 ,[fd00::1],my_host,"
    assert read_hosts(text) == ("tower.example.org", "10.0.0.1", "::1", "[fd00::1]", "my_host")


@pytest.mark.parametrize("host", ["a:80", "10.0.0.1:80", "[::1]:80", "[10.0.0.1]", "http://a", "*.a", "a b", ".", ":"])
def test_a_name_of_a_host_with_more_than_the_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="expected names of hosts without ports, like tower"):
        read_hosts(["a.example", host])
