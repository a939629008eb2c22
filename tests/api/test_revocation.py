"""A token that ends, ends what it opened: streams, the panel's live updates, and claims that wait for work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from api.tokens import Role, TokenStore
from events.connect import Database
from tests.api.serving import Served, refusal_of
from tests.api.test_auth import bearer
from tests.api.test_handover import rests, soon
from tests.panel.signing import sign_in
from tests.support.waiting import eventually

LIFETIME = timedelta(seconds=2)
End = Callable[[Served, str], Awaitable[None]]


async def revoke_elsewhere(api: Served, database: str) -> None:
    """As `elruso token revoke` does, in a process of its own."""
    async with Database(database).pool(1) as pool:
        await TokenStore(pool).revoke_token("t")


async def revoke_by_sql(_api: Served, database: str) -> None:
    """As an administrator of the database does."""
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE log.tokens SET revoked_at = log.now() WHERE name = 't'")
    await connection.close()


async def revoke_while_deaf(api: Served, database: str) -> None:
    """While this process hears no notifications."""
    await api.app.state.live.revocation._listener.stop()
    await revoke_by_sql(api, database)


async def expire(_api: Served, _database: str) -> None:
    """Nobody does anything: it was made for LIFETIME."""


ENDS = [revoke_elsewhere, revoke_by_sql, revoke_while_deaf, expire]


async def make_token(api: Served, role: Role, end: End) -> str:
    """The token `t`, which `end` will end; another one goes on."""
    await api.tokens.create_token("other", "admin")
    return await api.tokens.create_token("t", role, LIFETIME if end is expire else None)


@asynccontextmanager
async def streaming(api: Served, path: str, **options: Any) -> AsyncIterator["asyncio.Task[str]"]:
    """All that a stream says until it ends, once it has caught up."""
    live = api.app.state.live.broadcast
    async with api.client.stream("GET", path, **options) as response:
        assert 200 == response.status_code
        reading = asyncio.create_task(read(response))
        await eventually(lambda: live.live == 1)
        yield reading
        reading.cancel()


async def read(response: httpx.Response) -> str:
    """All of it."""
    return "".join([text async for text in response.aiter_text()])


@pytest.mark.parametrize("end", ENDS)
async def test_an_event_stream_ends(api: Served, database: str, end: End) -> None:
    """What happens afterwards is not delivered, and the stream is over."""
    token = await make_token(api, "viewer", end)
    async with streaming(api, "/ops/events/stream", headers=bearer(token)) as reading:
        await end(api, database)
        said = await soon(reading)
    assert "task.created" not in said
    assert 401 == (await api.client.get("/ops/events/stream", headers=bearer(token))).status_code


@pytest.mark.parametrize("end", [revoke_elsewhere, expire])
async def test_the_panels_live_updates_end(api: Served, database: str, end: End) -> None:
    """They were opened by a session, which ends with its token."""
    await make_token(api, "viewer", end)
    if end is not expire:
        await api.tokens.revoke_token("t")
        await sign_in(api, "t", "viewer")
    else:
        await api.tokens.revoke_token("t")
        token = await api.tokens.create_token("t", "viewer", LIFETIME)
        await api.client.post("/panel/sign-in", data={"token": token}, headers={"Origin": api.url})
    async with streaming(api, "/panel/live") as reading:
        await end(api, database)
        await soon(reading)
    assert 303 == (await api.client.get("/panel")).status_code


async def test_signing_out_ends_live_updates(api: Served) -> None:
    """Of this session, in whatever window; another session of the same token goes on."""
    token = await sign_in(api, "t", "viewer")
    async with httpx.AsyncClient(base_url=api.url) as other:
        await other.post("/panel/sign-in", data={"token": token}, headers={"Origin": api.url})
        async with streaming(api, "/panel/live") as reading:
            await api.client.post("/panel/sign-out", headers={"Origin": api.url})
            await soon(reading)
        assert 200 == (await other.get("/panel")).status_code


async def test_what_was_open_before_the_first_token_ends_with_it(api: Served) -> None:
    """Without tokens everybody on the machine may read; from the first one on, nobody without one."""
    async with streaming(api, "/ops/events/stream") as reading:
        await api.tokens.create_token("first", "admin")
        await soon(reading)


@pytest.mark.parametrize("end", ENDS)
async def test_a_waiting_claim_is_refused(api: Served, database: str, end: End) -> None:
    """It stops waiting, and what is created next is nobody's."""
    token = await make_token(api, "runner", end)
    claim = {"runner_id": "r1", "wait_seconds": 30}
    waiting = asyncio.create_task(api.client.post("/ops/tasks/claim", json=claim, headers=bearer(token)))
    await eventually(lambda: rests(api, 1))
    await end(api, database)

    assert (401, "unauthorized") == refusal_of(await soon(waiting))[:2]
    admin = await api.tokens.create_token("admin", "admin")
    created = await api.post("/ops/tasks", {"id": "a", "title": "A"}, headers=bearer(admin))
    assert ("ready", None) == (created["status"], created["claimed_by"])


async def test_nothing_is_dispatched_to_a_revoked_runner(api: Served) -> None:
    """A task that is created in the same moment, before the claim that waits has noticed anything, stays ready."""
    token = await api.tokens.create_token("t", "runner")
    admin = bearer(await api.tokens.create_token("admin", "admin"))
    claim = {"runner_id": "r1", "wait_seconds": 30}
    waiting = asyncio.create_task(api.client.post("/ops/tasks/claim", json=claim, headers=bearer(token)))
    await eventually(lambda: rests(api, 1))
    watch = api.app.state.live.revocation
    watch._watching.cancel()  # so that only the dispatch itself can notice
    await revoke_and_refresh(api)

    assert watch._holds
    await api.post("/ops/tasks", {"id": "a", "title": "A"}, headers=admin)
    assert (401, "unauthorized") == refusal_of(await soon(waiting))[:2]
    assert ["task.created"] == [event["type"] for event in await api.get("/ops/events?id=a", headers=admin)]


async def revoke_and_refresh(api: Served) -> None:
    """Revoke `t`, and have the process know."""
    await api.tokens.revoke_token("t")
    await api.tokens.refresh()


async def test_a_task_claimed_for_a_revoked_runner_is_handed_back(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the token end between claim and answer, the answer is a refusal, the task is ready again at no cost."""
    token = await api.tokens.create_token("t", "runner")
    admin = bearer(await api.tokens.create_token("admin", "admin"))
    await api.post("/ops/tasks", {"id": "a", "title": "A"}, headers=admin)
    claim = api.commands.claim

    async def claim_and_revoke(*arguments: Any, **options: Any) -> Any:
        answer = await claim(*arguments, **options)
        await revoke_and_refresh(api)
        return answer

    monkeypatch.setattr(api.commands, "claim", claim_and_revoke)
    response = await api.client.post("/ops/tasks/claim", json={"runner_id": "r1"}, headers=bearer(token))
    assert (401, "unauthorized") == refusal_of(response)[:2]
    task = await api.get("/ops/tasks/a", headers=admin)
    assert ("ready", 0) == (task["status"], task["attempts"])


async def test_an_idle_process_asks_nothing(api: Served) -> None:
    """A stream that is open costs no queries about its token while announcements are heard."""
    token = await api.tokens.create_token("t", "viewer")
    reads: list[str] = []
    fetch = api.tokens._pool.fetch

    class Counting:
        async def fetch(self, query: str, *arguments: Any) -> Any:
            reads.append(query)
            return await fetch(query, *arguments)

    api.tokens._pool = Counting()
    async with streaming(api, "/ops/events/stream", headers=bearer(token)) as reading:
        watch = api.app.state.live.revocation
        await eventually(lambda: not watch._announced.is_set() and not watch._unsure)
        reads.clear()
        ticks = asyncio.get_running_loop().time() + 3 * 0.5
        await eventually(lambda: asyncio.get_running_loop().time() > ticks)
        assert [] == reads
        assert not reading.done()
