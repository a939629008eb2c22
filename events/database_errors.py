"""The one place where errors of PostgreSQL and its driver become ours (docs/adr/0031).

refusal     class ER, which schema.sql raises, and 22, 23, 54: the data's fault. The same would be refused again.
conflict    another session came first. The same statement may be sent again at once.
transient   the connection, or a condition that passes: 08, 40, 53, 57, 58, a read-only server, a lock that another
            session holds. `Unavailable`: the same may be sent again, after a delay.
fault       everything else. `DatabaseFault`: it fails this call and nothing else.
"""

import ssl

import asyncpg

from events.errors import (
    DatabaseFault,
    ElRusoError,
    Forbidden,
    IllegalTransition,
    InvalidInput,
    LeaseLost,
    Paused,
    Unavailable,
    UnknownDependency,
    WrongVersion,
    explain,
)

# Class ER is ours; schema.sql raises these and documents them under "Refusals".
SQLSTATES: dict[str, type[ElRusoError]] = {
    "ER001": WrongVersion,
    "ER002": IllegalTransition,
    "ER003": LeaseLost,
    "ER004": UnknownDependency,
    "ER005": Forbidden,
    "ER006": InvalidInput,
    "ER007": Paused,
    "ER008": Unavailable,
    # Two writers computed the same next version: the unique index settled it.
    "23505": WrongVersion,
}

# Text that PostgreSQL cannot hold or parse, numbers out of range; constraints; a value too long for an index.
DATA_CLASSES = frozenset({"22", "23", "54"})

# The caller did nothing wrong: the same statement may be sent again at once. ER008: the server's clock was set back
# while the statement ran.
CONFLICTS = frozenset({"40001", "40P01", "23505", "ER001", "ER008"})

TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})
LOCK_NOT_AVAILABLE = "55P03"
# A standby, or a server that is being moved; a transaction of ours that the server ended.
TRANSIENT_STATES = frozenset({"25006", "25P03", "25P04", LOCK_NOT_AVAILABLE})

# A prepared statement is unknown, or there already: the session is another one than a moment ago.
OTHER_SESSION = frozenset({"26000", "42P05"})

LOST_CONNECTION = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement that crosses the server's last message
    asyncpg.CannotConnectNowError,
    TimeoutError,
)
DRIVER_ERRORS = (asyncpg.PostgresError, *LOST_CONNECTION)


def from_database(error: Exception) -> Exception:
    """The engine's exception behind an error of the database or its driver; any other error as it is."""
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate is not None:
        return _from_sqlstate(error, error.sqlstate)
    return unavailable(error) if isinstance(error, DRIVER_ERRORS) else error


def is_refusal(error: asyncpg.PostgresError) -> bool:
    """True when the log refused what was sent, or its data is at fault."""
    state = error.sqlstate or ""
    return state in SQLSTATES or state[:2] in DATA_CLASSES


def is_conflict(error: BaseException) -> bool:
    """True when sending the same statement again at once is safe and may succeed."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in CONFLICTS


def unavailable(error: BaseException) -> Unavailable:
    """The refusal that a lost or refused connection becomes."""
    reason = explain(error)
    if "startup parameter" in reason:  # PostgreSQL says "configuration parameter"
        return Unavailable(f"DATABASE_URL leads through a pooler ({reason}); set ELRUSO_POOLER=1")
    if isinstance(error, ssl.SSLError):
        return Unavailable(f"TLS with the database failed ({reason}); check sslmode and sslrootcert in DATABASE_URL")
    if isinstance(error, FileNotFoundError):
        return Unavailable("a file of DATABASE_URL is missing: sslrootcert, sslcert, sslkey, or the server's socket")
    return Unavailable(f"the database cannot be reached ({reason}); check DATABASE_URL and that the server runs")


def _from_sqlstate(error: asyncpg.PostgresError, state: str) -> ElRusoError:
    message = str(error.args[0]) if error.args else type(error).__name__
    if state in OTHER_SESSION:
        text = "DATABASE_URL seems to lead through a transaction pooler; set ELRUSO_POOLER=1"
        return Unavailable(text, sqlstate=state)
    if state in SQLSTATES:
        return SQLSTATES[state](message)
    if state[:2] in DATA_CLASSES:
        return InvalidInput(message)
    if state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES:
        return Unavailable(f"the database cannot do this now ({state}: {message}); send it again", sqlstate=state)
    return DatabaseFault(f"unexpected error of the database ({state}: {message})", sqlstate=state)
