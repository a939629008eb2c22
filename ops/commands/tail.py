"""`elruso tail`: the log as it grows."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import click
from asyncpg import Connection

from events.connect import Database
from events.errors import BeyondTheLog
from events.event import Event
from events.follower import Follower
from events.listener import Listener
from events.log import check_within
from events.notifier import Notifier
from events.rfc3339 import encode_event
from ops.database import use_database
from ops.errors import OperatorError
from ops.terminal import Terminal, command, option

Show = Callable[[Event], None]

GAP_SECONDS = 0.02


@command("tail", help="help.tail")
@option("--after", type=int, help="help.tail.after")
@option("--kind", help="help.tail.kind")
@option("--id", "stream", help="help.tail.id")
@option("--json", "as_json", is_flag=True, help="help.json")
@option("--no-follow", is_flag=True, help="help.tail.no_follow")
@click.pass_obj
def tail(
    terminal: Terminal, after: int | None, kind: str | None, stream: str | None, as_json: bool, no_follow: bool
) -> None:
    """Print events in the order of the log, and go on with new ones until interrupted."""

    def show(event: Event) -> None:
        if kind in (None, event.kind) and stream in (None, event.id):
            if as_json:
                terminal.show_document(encode_event(event).decode())
            else:
                terminal.show_line(_line(event))

    with (
        use_database(terminal.config, terminal.say, "elruso-tail", watched=True) as database,
        suppress(KeyboardInterrupt),
    ):
        asyncio.run(_follow(database, after, show, once=no_follow))


async def _follow(database: Database, after: int | None, show: Show, once: bool) -> None:
    connection = await database.connect()
    notifier = Notifier(database)
    listener = Listener(database, notifier)
    news = asyncio.Event()
    listener.subscribe(lambda _hint: news.set())
    notifier.start()
    listener.start()
    try:
        if after is None:
            follower = await Follower.from_now(connection)
        else:
            await _check_within(connection, after)
            follower = Follower(connection, after)
        while True:
            news.clear()
            while events := await follower.advance():
                for event in events:
                    show(event)
            if once and not follower.blocked:
                return
            if follower.blocked:
                await asyncio.sleep(GAP_SECONDS)  # a gap is filled by a commit, which nobody announces
            else:
                await news.wait()
    finally:
        await listener.stop()
        await notifier.stop()
        await connection.close()


async def _check_within(connection: Connection, after: int) -> None:
    try:
        await check_within(connection, after)
    except BeyondTheLog as refusal:
        raise OperatorError("tail.beyond", after=after, last=refusal.facts["last_seq"]) from refusal


def _line(event: Event) -> str:
    time = event.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
    data = bytes(event.data).decode()
    return f"{event.seq:>8}  {time}  {event.type:<17} {event.id} v{event.version}  {event.actor}  {data}"
