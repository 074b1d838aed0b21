import json
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_tower.auth.entry_links import MAX_PATH, entry_url, is_page_path

PATHS = json.loads(Path(__file__).with_name("page_paths.json").read_text())


@pytest.mark.parametrize("path", PATHS["pages"])
def test_page_is_where_a_link_may_lead(path: str) -> None:
    assert is_page_path(path)


@pytest.mark.parametrize("path", PATHS["elsewhere"])
def test_link_leads_nowhere_else(path: str) -> None:
    assert not is_page_path(path)


def test_path_is_bounded() -> None:
    assert is_page_path("/" + "x" * (MAX_PATH - 1))
    assert not is_page_path("/" + "x" * MAX_PATH)


@given(st.text(st.sampled_from("/\\.%2eEfapi:?#@ \t\nx"), max_size=12).map(lambda rest: "/" + rest))
def test_path_of_a_page_stays_at_the_host_that_has_it(path: str) -> None:
    if is_page_path(path):
        gone = urlsplit(urljoin("http://tower.example.org/enter", path))
        assert (gone.scheme, gone.netloc) == ("http", "tower.example.org")
        assert not gone.path.lower().startswith(("/api/", "/enter/"))


@pytest.mark.parametrize("path", PATHS["pages"])
def test_url_of_a_link_has_the_page_and_behind_all_the_secret(path: str) -> None:
    url = urlsplit(entry_url("https://tower.example.org", "tsl_x", path))
    assert (url.path, url.fragment) == ("/enter", "tsl_x")
    assert parse_qs(url.query) == {"to": [path]}
    assert url.query.isascii()


def test_url_of_a_link_needs_no_page() -> None:
    assert entry_url("https://tower.example.org", "tsl_x") == "https://tower.example.org/enter#tsl_x"
