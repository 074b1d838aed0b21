"""The SDK keys of this machine's own sidecars: made through Tower's API, and kept in the data folder to be used again.

Tower keeps hashes alone, so whoever is to print a key has to keep it: here that is the folder which has all other
secrets of the stack, for its owner alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
import orjson

from tailslide_core.errors import ContractError
from tailslide_core.sdk_keys import SdkKey, parse_sdk_key
from tailslide_runtime.errors import StartError
from tailslide_runtime.private_files import PrivateFolder, open_folder

KEY_NAME = "tailslide env"
"""What people see in Tower's list of keys."""
_FILE = "sdk_keys.json"
_LOCK = "sdk_keys.lock"
_MAX_BYTES = 1_000_000
_TIMEOUT_S = 10.0


async def key_of(folder: Path, app: str, tower_url: str, api_token: str) -> SdkKey:
    """Return an SDK key of an app: the one that is kept in the folder, if it is still good, else a new one.

    Makes the app where Tower does not have it. Raises `StartError`.
    """
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {api_token}"}
    try:
        with _kept_keys(folder) as (kept, opened):
            async with aiohttp.ClientSession(f"{tower_url}/api/v1/", timeout=timeout, headers=headers) as tower:
                key = _read(kept.get(app), app)
                if key is None or key.key_id not in await _good_ids(tower, app):
                    key = await _make(tower, app)
                    opened.replace(_FILE, orjson.dumps({**kept, app: str(key)}))
                return key
    except (aiohttp.ClientError, TimeoutError) as error:
        raise StartError(f"Tower at {tower_url} cannot be asked for a key: {error or 'no answer in time'}") from error
    except OSError as error:
        raise StartError(f"{folder / _FILE} cannot be used: {error.strerror or error}") from error


@contextmanager
def _kept_keys(folder: Path) -> Iterator[tuple[dict[str, object], PrivateFolder]]:
    """Give what is kept, and the folder to keep more in, to one process at a time."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open_folder(folder) as opened:
            try:
                kept = orjson.loads(opened.read(_FILE, _MAX_BYTES))
            except FileNotFoundError:
                kept = {}
            except orjson.JSONDecodeError:
                raise StartError(f"{folder / _FILE} is no JSON: remove it, and new keys are made") from None
            yield kept if isinstance(kept, dict) else {}, opened
    finally:
        os.close(lock)


def _read(text: object, app: str) -> SdkKey | None:
    try:
        key = parse_sdk_key(text) if isinstance(text, str) else None
    except ContractError:
        return None
    return key if key is not None and key.app == app else None


async def _good_ids(tower: aiohttp.ClientSession, app: str) -> set[str]:
    async with tower.get(f"apps/{app}/keys", params={"limit": "500"}) as answer:
        if answer.status == HTTPStatus.NOT_FOUND:
            return set()
        return {str(key["id"]) for key in (await _body(answer))["keys"]}


async def _make(tower: aiohttp.ClientSession, app: str) -> SdkKey:
    async with tower.get(f"apps/{app}") as answer:
        there = answer.status == HTTPStatus.OK
    if not there:
        async with tower.post("apps", json={"key": app}) as answer:
            if answer.status != HTTPStatus.CONFLICT:
                await _body(answer)
    async with tower.post(f"apps/{app}/keys", json={"name": KEY_NAME}) as answer:
        return parse_sdk_key(str((await _body(answer))["key"]))


async def _body(answer: aiohttp.ClientResponse) -> dict[str, list[dict[str, object]]]:
    body: dict[str, list[dict[str, object]]] = orjson.loads(await answer.read())
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise StartError(f"Tower refused {answer.method} {answer.url.path}: {body.get('detail', answer.status)}")
    return body
