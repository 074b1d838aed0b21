"""A database as full as one of a large team: apps, flags, and a log of more than a year. The same each time.

A few apps have most of the flags and changes, as it is with teams; a third of the log is what circuits did.
"""

from dataclasses import dataclass

import asyncpg

FIRST_DAY = "2025-10-25 00:00:00+00"
LAST_DAY = "2026-11-28 00:00:00+00"


@dataclass(frozen=True)
class Extent:
    """How much there is."""

    apps: int = 500
    flags: int = 10_000
    entries: int = 100_000


_APPS = """
INSERT INTO apps (key, name, version, description, defaults, requires_reason, created_at, updated_at)
SELECT 'app-' || n, 'App ' || n, 1, '', '{}', false, now(), now() FROM generate_series(0, $1::int - 1) n
"""
_FLAGS = """
INSERT INTO flags (
    app, key, name, description, tags, owner, lifetime, search, active, rollout, salt, type, variants, off_variant,
    split, requires, metadata, allow, deny, rules, circuit, reset_generation, version, created_at, updated_at
)
SELECT 'app-' || CASE WHEN n = 1 THEN 0 ELSE floor($1::int * power(random(), 2))::int END, key,
    key, 'What flag ' || n || ' is for', tags,
    'team-' || n % 40, 'permanent', key || E'\\n' || key || E'\\nwhat flag ' || n || ' is for', n % 3 > 0, 25, key,
    'boolean', '{"on": true, "off": false}', 'off', '[{"variant": "on", "weight": 1}]', '[]', '{}',
    '["u1", "u2"]', '[]', '[]', NULL, 0, 1, now(), now()
FROM generate_series(1, $2::int) n,
    LATERAL (SELECT 'feature-' || n AS key, jsonb_build_array('area-' || n % 25) AS tags) named
"""
_ENTRIES = """
INSERT INTO log (at, action, kind, app, key, version, actor_kind, actor_id, actor, address, reason, before, after,
    details, minor)
SELECT
    -- One in five hundred came days after it had happened.
    $2::text::timestamptz + ($3::text::timestamptz - $2::text::timestamptz) * n / $1::int
        - CASE WHEN n % 500 = 0 THEN interval '5 days' ELSE interval '0' END,
    action, kind,
    CASE WHEN kind IN ('user', 'token') THEN NULL ELSE flags.app END,
    CASE WHEN kind IN ('user', 'token') THEN 'id-' || n WHEN kind = 'webhook' THEN 'hook-' || n ELSE flags.key END,
    CASE WHEN kind = 'flag' THEN n END,
    CASE WHEN kind = 'circuit' THEN 'system' ELSE 'user' END,
    CASE WHEN kind = 'circuit' THEN 'aerobat' ELSE 'user-' || person END,
    CASE WHEN kind = 'circuit' THEN 'Aerobat' ELSE 'person-' || person || '@example.org' END,
    CASE WHEN kind <> 'circuit' THEN '192.0.2.' || n % 250 END,
    CASE WHEN n % 7 = 0 THEN 'Ticket SHOP-' || n || ': ' || (ARRAY['payments incident', 'more users', 'experiment over',
        'as agreed with support'])[1 + n % 4] END,
    CASE WHEN kind = 'circuit' THEN circuit WHEN kind = 'flag' THEN state END,
    CASE WHEN kind = 'circuit' THEN circuit WHEN kind = 'flag' THEN state END,
    '{}', action IN ('circuit.step', 'circuit.calm')
FROM (
    SELECT n, floor($4::int * power(random(), 3))::int AS flag, floor(200 * power(random(), 2))::int AS person,
        CASE WHEN n % 997 = 0 THEN 'user.created' WHEN n % 499 = 0 THEN 'token.created'
            WHEN n % 251 = 0 THEN 'webhook.changed' WHEN n % 30 = 0 THEN 'circuit.opened'
            WHEN n % 30 = 1 THEN 'circuit.recovering' WHEN n % 30 IN (2, 3, 4, 5, 6, 7) THEN 'circuit.step'
            WHEN n % 30 = 8 THEN 'circuit.closed' WHEN n % 30 = 9 THEN 'flag.created'
            WHEN n % 30 IN (10, 11, 12, 13, 14) THEN 'flag.toggled' ELSE 'flag.changed' END AS action
    FROM generate_series(1, $1::int) n
) numbered
JOIN (SELECT app, key, row_number() OVER (ORDER BY app, key) - 1 AS number FROM flags) flags ON number = flag,
LATERAL (SELECT split_part(action, '.', 1) AS kind,
    json_build_object('state', 'recovering', 'percentage', n % 100, 'trips', 1, 'generation', n, 'reset_generation', 0,
        'since_ms', 1795363190302, 'next_ms', NULL, 'reason', NULL, 'schema', 1) AS circuit,
    json_build_object('app', app, 'key', key, 'version', n, 'active', true, 'rollout', n % 100, 'salt', key,
        'description', repeat(md5(n::text), 12), 'allow', json_build_array('u1', 'u2', md5(n::text)), 'rules',
        json_build_array(json_build_object('rollout', 5, 'when', json_build_array(json_build_object('attribute',
        'country', 'operator', 'in', 'values', json_build_array('DE', 'FR', 'IT')))))) AS state) shown
ORDER BY n
"""


async def fill(connection: asyncpg.Connection, extent: Extent) -> None:
    """Fill the empty tables of a database that Tower has prepared."""
    async with connection.transaction():
        await connection.execute("SELECT setseed(0.42)")
        await connection.execute(_APPS, extent.apps)
        await connection.execute(_FLAGS, extent.apps, extent.flags)
        await connection.execute(_ENTRIES, extent.entries, FIRST_DAY, LAST_DAY, extent.flags, timeout=300)
    await connection.execute("VACUUM (ANALYZE) apps, flags, log", timeout=300)
