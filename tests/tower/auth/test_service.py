from tailslide_tower.auth.service import hash_of


def test_a_token_is_kept_as_its_sha256() -> None:
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
