"""Requests: the credentials that were asked for, and whether somebody has provided them."""

from asyncpg import Pool

from events.statements import load_statements
from projections.ask import ask

_sql = load_statements("projections", "requests.sql")


async def list_requests(pool: Pool) -> bytes:
    """The requests in the log in the order of their ids, at most 1000, as a JSON array.

    Each: `{id, status, service, type, scopes, purpose, where_to_set, validation_cmd, reason, place, opened_at,
    provided_at, provided_by, changed_at, changed_by, version}`.
    """
    return await ask(pool, _sql["list_requests"])
