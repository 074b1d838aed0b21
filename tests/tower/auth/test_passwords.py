import asyncio
import unicodedata
from collections.abc import Iterator
from typing import Literal

import pytest
from argon2 import PasswordHasher

from tailslide_core.errors import ContractError
from tailslide_runtime.http import ApiError
from tailslide_tower.auth import passwords as module
from tailslide_tower.auth.passwords import PARAMETERS, Passwords, check_password

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(QUICK)
    yield made
    made.close()


async def test_password_is_recognised_by_its_hash(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert stored != await passwords.hash("correct horse battery")
    assert await passwords.matches(stored, "correct horse battery")
    assert not await passwords.matches(stored, "correct horse batterY")
    assert not await passwords.matches("no hash at all", "correct horse battery")


async def test_password_is_the_same_however_a_keyboard_writes_it(passwords: Passwords) -> None:
    stored = await passwords.hash(unicodedata.normalize("NFC", "übergrößenträger"))
    assert await passwords.matches(stored, unicodedata.normalize("NFD", "übergrößenträger"))


async def test_nobody_has_no_password(passwords: Passwords) -> None:
    assert not await passwords.matches(None, "the password of nobody")


async def test_account_that_does_not_exist_costs_as_much_as_one_that_does() -> None:
    class Counting(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 # the base's name
            Counting.verified += 1
            return super().verify(hash, password)

    passwords = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    stored = await passwords.hash("correct horse battery")
    for known in (None, stored, stored):
        before = Counting.verified
        await passwords.matches(known, "wrong")
        assert Counting.verified == before + 1
    passwords.close()


async def test_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse battery")
    assert not passwords.is_outdated(stored)
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert stronger.is_outdated(stored)
    assert await stronger.matches(stored, "correct horse battery")
    stronger.close()


async def test_few_wait_for_a_hash_and_the_others_are_told_to_come_again(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    results = await asyncio.gather(*(passwords.hash("x") for _ in range(10)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ApiError)]
    assert len(refused) == 10 - module.THREADS - 1
    assert (refused[0].status, refused[0].code, refused[0].headers) == (503, "BUSY", {"Retry-After": "2"})
    assert await passwords.hash("x")


def test_parameters_are_those_of_rfc_9106() -> None:
    assert (PARAMETERS.time_cost, PARAMETERS.memory_cost, PARAMETERS.parallelism) == (3, 64 * 1024, 4)


@pytest.mark.parametrize(
    "password", ["short", "x" * 257, "aaaaaaaaaaaaaaa", "ababababababab", "Ada.Lovelace@Example.org"]
)
def test_password_that_is_easily_guessed_may_not_be_set(password: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_password("password", password, "ada.lovelace@example.org")
    assert caught.value.field == "password"
    assert password not in caught.value.problem
