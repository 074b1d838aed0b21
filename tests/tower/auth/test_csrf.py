import pytest

from tailslide_tower.auth.csrf import csrf_token, is_csrf_token, is_same_site, origin_of

PUBLIC = "https://tower.example.org"


def test_token_is_of_one_session() -> None:
    token = csrf_token("tss_one")
    assert is_csrf_token("tss_one", token)
    assert not is_csrf_token("tss_two", token)
    assert not is_csrf_token("tss_one", "")
    assert not is_csrf_token("tss_one", "\udcff")
    assert "tss_one" not in token


@pytest.mark.parametrize(
    ("fetch_site", "origin", "host", "own"),
    [
        (None, None, "tower.example.org", True),
        ("same-origin", PUBLIC, "inner:4142", True),
        ("none", None, "tower.example.org", True),
        ("same-site", None, "tower.example.org", False),
        ("cross-site", PUBLIC, "tower.example.org", False),
        (None, PUBLIC, "inner:4142", True),
        (None, "http://tower.example.org", "inner:4142", False),
        (None, "https://evil.example", "tower.example.org", False),
        (None, "http://127.0.0.1:4142", "127.0.0.1:4142", True),
        (None, "http://127.0.0.1:8000", "127.0.0.1:4142", False),
        (None, "null", "tower.example.org", False),
        (None, "", "", False),
    ],
)
def test_page_is_ours_by_what_the_browser_says(
    fetch_site: str | None, origin: str | None, host: str, own: bool
) -> None:
    assert is_same_site(fetch_site=fetch_site, origin=origin, host=host, public_url=PUBLIC) == own


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://tower.example.org", "https://tower.example.org"),
        ("https://tower.example.org:443", "https://tower.example.org"),
        ("http://tower.example.org:8080", "http://tower.example.org:8080"),
        ("http://[::1]:4142", "http://[::1]:4142"),
    ],
)
def test_origin_is_written_as_browsers_write_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin
