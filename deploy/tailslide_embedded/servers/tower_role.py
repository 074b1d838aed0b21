"""The role that Tower uses in the embedded PostgreSQL: it owns its one database, and may do nothing else.

It is no superuser, makes no roles and no databases, reads no files and runs no programs (`COPY … FROM PROGRAM`).
Clusters of earlier versions have all of Tower's tables in the hands of the superuser; they are handed over here, at
each start, in one transaction. The superuser's password is in the data folder, and in nobody's environment.
"""

import asyncpg

ROLE = "tower"
DATABASE = "tailslide"

_LIMITS = {
    "statement_timeout": "60s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}
# What the superuser owns in the database and PostgreSQL itself did not bring: the schema `public`, tables, views,
# sequences (those of a column follow its table), types and functions.
_NOT_OURS = """
SELECT format('ALTER SCHEMA %I OWNER TO', nspname) FROM pg_namespace
 WHERE nspowner <> $1::regrole AND nspname !~ '^(pg_|information_schema$)'
UNION ALL
SELECT format('ALTER %s %I.%I OWNER TO',
              CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                           WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, nspname, relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
 WHERE relowner <> $1::regrole AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
   AND nspname !~ '^(pg_|information_schema$)'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
UNION ALL
SELECT format('ALTER TYPE %I.%I OWNER TO', nspname, typname)
  FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
 WHERE typowner <> $1::regrole AND nspname !~ '^(pg_|information_schema$)'
   AND (typtype IN ('e', 'd', 'r') OR EXISTS (SELECT FROM pg_class c WHERE c.oid = typrelid AND relkind = 'c'))
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT format('ALTER ROUTINE %s OWNER TO', p.oid::regprocedure)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
 WHERE proowner <> $1::regrole AND nspname !~ '^(pg_|information_schema$)'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""


async def ensure_role(connection: asyncpg.Connection, password: str) -> None:
    """Make the role and its database, or put right what differs; as the superuser, in the database `postgres`."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", ROLE):
        await connection.execute(f"CREATE ROLE {ROLE}")
    await connection.execute(
        f"ALTER ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
        f"PASSWORD {await connection.fetchval('SELECT quote_literal($1::text)', password)}"
    )
    for setting, value in _LIMITS.items():
        await connection.execute(f"ALTER ROLE {ROLE} SET {setting} = '{value}'")
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", DATABASE):
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
    await connection.execute(f"ALTER DATABASE {DATABASE} OWNER TO {ROLE}")
    for database in (DATABASE, "postgres", "template1"):
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")


async def hand_over_tables(connection: asyncpg.Connection) -> None:
    """Make the role the owner of all that was made in its database; as the superuser, in that database."""
    async with connection.transaction():
        for row in await connection.fetch(_NOT_OURS, ROLE):
            await connection.execute(f"{row[0]} {ROLE}")
