"""What the API is given by whoever starts it, and the limits it keeps."""

from collections.abc import Callable

from asyncpg import Pool
from msgspec import Struct

from api.actions import Actions
from api.credentials import Credentials, Screen
from api.planning import Planner
from api.request_log import Write, write_singly
from api.tokens import TokenStore
from events.commands import Commands
from events.directive import Approval
from events.directives import Definitions
from events.listener import Listener
from projections.views import Views


class Limits(Struct, frozen=True):
    """How much one request may ask for. Bytes and seconds."""

    body_bytes: int = 1 << 20
    wait_seconds: float = 60.0
    keep_alive_seconds: float = 15.0
    """How often a silent event stream says that it is there."""
    streams: int = 1000
    """Event streams at once (api/slots.py)."""
    waiting_claims: int = 1000
    """Claims that wait for work at once."""
    viewer_events: int = 1000
    """Events that may wait for one viewer to read on, before it is dropped."""


class ApiDeps(Struct, frozen=True):
    """Everything the API works with. Whoever made it also ends it."""

    commands: Commands
    views: Views
    listener: Listener
    tokens: TokenStore
    pool: Pool
    """For reading the log; its connections must keep no state and reach the primary."""
    lease_seconds: float
    version: str
    actions: Actions
    credentials: Credentials
    screen: Screen
    limits: Limits = Limits()
    planner: Planner | None = None
    """Asks a model for directives. None: this process has none."""
    approval: Approval = "auto"
    """When the tasks of a directive are created: with it, or when somebody applies it."""
    known_requests: Callable[[], Definitions] = dict
    """The requests that are defined, as they are now."""
    client_lease_seconds: float | None = None
    """The lease of runners that send no heartbeats while they work. None: `lease_seconds`."""
    allowed_origins: frozenset[str] = frozenset()
    """Origins of other sites whose pages may use the API with a token."""
    log_requests: Write = write_singly
    """Writes the log's lines about requests."""
