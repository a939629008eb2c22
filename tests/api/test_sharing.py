"""Those who ask the same are sent one answer, and never one that was begun before they asked."""

import asyncio

import pytest

from api.sharing import ENTRY_BYTES, KEPT_BYTES, SharedAnswers
from api.transfer import Packed
from events.errors import NotFound
from tests.api.serving import Served, serving
from tests.support.waiting import eventually

ALL = ("/ops/tasks", b"")


class Kitchen:
    """Answers by number, when it is let; `state` is what the database would say of itself."""

    def __init__(self) -> None:
        self.state = "one"
        self.begun = 0
        self.go = asyncio.Event()
        self.go.set()
        self.answers = SharedAnswers(self._ask_state)
        self.asked_state = 0

    async def _ask_state(self) -> str:
        self.asked_state += 1
        return self.state

    async def make(self) -> Packed:
        """The next number."""
        self.begun += 1
        number = self.begun
        await self.go.wait()
        return Packed(b"%d" % number)

    async def ask(self, key: tuple[str, bytes] = ALL, kept: bool = False) -> bytes:
        """One who asks."""
        return (await self.answers.answer(key, self.make, kept)).body


@pytest.fixture
async def kitchen() -> Kitchen:
    """A new one."""
    return Kitchen()


async def test_who_asks_while_an_answer_is_made_gets_the_next(kitchen: Kitchen) -> None:
    """Not the one that is under way: what the asker wrote may be missing there. All who wait share the next."""
    kitchen.go.clear()
    first = asyncio.create_task(kitchen.ask())
    await eventually(lambda: kitchen.begun == 1)
    later = [asyncio.create_task(kitchen.ask()) for _ in range(5)]
    await asyncio.sleep(0)
    kitchen.go.set()

    assert b"1" == await first
    assert [b"2"] * 5 == await asyncio.gather(*later)
    assert b"3" == await kitchen.ask()


async def test_other_questions_do_not_wait(kitchen: Kitchen) -> None:
    """Each address has answers of its own."""
    kitchen.go.clear()
    one = asyncio.create_task(kitchen.ask())
    other = asyncio.create_task(kitchen.ask(("/ops/tasks", b"status=ready")))
    await eventually(lambda: kitchen.begun == 2)
    kitchen.go.set()
    assert {b"1", b"2"} == {await one, await other}


async def test_a_refusal_is_everybodys_and_is_not_kept(kitchen: Kitchen) -> None:
    """The next one who asks is answered."""

    async def refuse() -> Packed:
        raise NotFound("there is no such page")

    outcomes = await asyncio.gather(
        *(kitchen.answers.answer(ALL, refuse, kept) for kept in (True, True, False)), return_exceptions=True
    )
    assert [NotFound] * 3 == [type(outcome) for outcome in outcomes]
    assert b"1" == await kitchen.ask(kept=True)


async def test_one_who_leaves_takes_nobody_along(kitchen: Kitchen) -> None:
    """A client that is cut off while it waits disturbs none of the others, not even as the first of them."""
    first, second = (asyncio.create_task(kitchen.ask()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert b"1" == await second


async def test_an_answer_is_kept_until_something_is_committed(kitchen: Kitchen) -> None:
    """The database is asked each time whether it is as it was."""
    assert [b"1"] * 3 == [await kitchen.ask(kept=True) for _ in range(3)]
    kitchen.state = "two"
    assert b"2" == await kitchen.ask(kept=True)
    assert (2, 4) == (kitchen.begun, kitchen.asked_state)


async def test_what_was_asked_before_a_commit_is_not_kept_beyond_it(kitchen: Kitchen) -> None:
    """A commit while an answer is being made: it belongs to the state before, and is made anew."""
    kitchen.go.clear()
    first = asyncio.create_task(kitchen.ask(kept=True))
    await eventually(lambda: kitchen.begun == 1)
    kitchen.state = "two"
    kitchen.go.set()
    assert b"1" == await first
    assert b"2" == await kitchen.ask(kept=True)


async def test_the_oldest_is_forgotten_when_there_is_much(kitchen: Kitchen) -> None:
    """What is kept is bounded in bytes; what was asked for last stays."""
    size = KEPT_BYTES // 4 - ENTRY_BYTES

    async def large() -> Packed:
        kitchen.begun += 1
        return Packed(b"x" * size)

    async def ask(*names: str) -> int:
        before = kitchen.begun
        for name in names:
            await kitchen.answers.answer((name, b""), large, kept=True)
        return kitchen.begun - before

    assert 4 == await ask("a", "b", "c", "d")
    assert 0 == await ask("a")
    assert 1 == await ask("e")
    assert 0 == await ask("a", "c", "d", "e")
    assert 1 == await ask("b")


async def test_what_anybody_wrote_is_found_at_once(api: Served, database: str) -> None:
    """Through this process, through another one, or by hand in SQL: the next answer has it, also while many ask."""
    path = "/ops/tasks?status=ready"
    async with serving(database) as other:
        stop = asyncio.Event()

        async def poll() -> None:
            while not stop.is_set():
                await api.get(path)

        pollers = [asyncio.create_task(poll()) for _ in range(8)]
        for number in range(30):
            writer = (api, other)[number % 2]
            await writer.post("/ops/tasks", {"id": f"t{number}", "title": "T"})
            assert f"t{number}" in [task["id"] for task in await api.get(path)]
        await api.pool.execute(
            "INSERT INTO log.events (kind, id, version, type, actor, data) "
            """VALUES ('task', 'by-hand', 1, 'task.created', 'human:ana', '{"title": "T"}')"""
        )
        assert "by-hand" in [task["id"] for task in await api.get(path)]
        stop.set()
        await asyncio.gather(*pollers)


async def test_a_refusal_of_the_caller_comes_before_any_sharing(api: Served) -> None:
    """An answer that is kept is for those who may read it, and each of them is asked for a token."""
    token = await api.tokens.create_token("ana", "viewer")
    headers = {"Authorization": f"Bearer {token}"}
    assert [] == await api.get("/ops/tasks", headers=headers)
    refused = await asyncio.gather(*(api.client.get("/ops/tasks") for _ in range(3)))
    assert [401] * 3 == [response.status_code for response in refused]
    await api.tokens.revoke_token("ana")
    assert 401 == (await api.client.get("/ops/tasks", headers=headers)).status_code


async def test_each_answer_has_an_id_of_its_own(api: Served) -> None:
    """What is shared is the answer, not the request."""
    responses = await asyncio.gather(*(api.client.get("/ops/metrics") for _ in range(5)))
    assert 5 == len({response.headers["x-request-id"] for response in responses})
