"""The demo as someone sees it who has never seen the project."""

import asyncio
import json
import sys


async def test_the_demo_trips_recovers_and_leaves_nothing_running() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tailslide_embedded", "demo", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    stdout, stderr = await process.communicate()

    assert process.returncode == 0, stderr.decode()
    outcome = json.loads(stdout.splitlines()[-1])
    assert outcome.keys() == {
        "tripped_after_ms",
        "calls_failed_at_users",
        "calls_to_feature_while_open",
        "recovery_steps",
        "recovered",
        "total_calls",
        "duration_s",
    }
    assert outcome["recovered"] is True
    assert outcome["tripped_after_ms"] > 0
    assert outcome["recovery_steps"] == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert 0 < outcome["calls_failed_at_users"] < outcome["total_calls"]
    # stdout and stderr are inherited by whatever it has started: communicate() has seen all of that end.
