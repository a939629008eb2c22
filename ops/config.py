"""The environment, read once into a frozen Config. Nothing else in El Ruso reads it.

A field of Config is a setting: its variable is ELRUSO_ and the field's name in capitals (two have another name, see
OTHER_NAMES), its limits and its text stand in its type, its default beside it. SETTINGS, docs/settings.md and every
refusal are made from these.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from api.cross_origin import is_origin
from ops.errors import OperatorError
from ops.messages import Language
from ops.prices import read_prices
from ops.settings import Setting, describe_settings, read_setting

OTHER_NAMES = {
    "database_url": ("DATABASE_URL",),
    "api": ("ELRUSO_API", "API_BASE_URL"),
    "openai_base_url": ("OPENAI_BASE_URL",),
}
LOCALE_NAMES = ("LC_ALL", "LC_MESSAGES", "LANG")
TRANSFER_VARIABLE = "ELRUSO_ENVIRONMENT_FD"  # names the socket through which a parent of ours sends the settings
# Of the ./elruso script, what steps are told, and what we tell our own children.
NOT_OURS = {"ELRUSO_VENV", "ELRUSO_TASK_ID", "ELRUSO_RUN_ID", "ELRUSO_RUNNER_PROCESS", TRANSFER_VARIABLE}

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Bytes = Annotated[int, Meta(ge=1, le=1 << 30)]
Count = Annotated[int, Meta(ge=1, le=1_000)]
Postgres = Annotated[str, Meta(pattern=r"^postgres(ql)?://")]
Http = Annotated[str, Meta(pattern=r"^https?://")]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting."""

    home: Annotated[Path, Meta(description="Where El Ruso keeps its data, logs and PID files.")] = Path("~/.elruso")

    vault_passphrase: Annotated[str | None, Meta(description="Seals the vault, instead of the key file beside it.")] = (
        None
    )
    validation_seconds: Annotated[Seconds, Meta(description="How long a request's validation command may take.")] = 20.0

    # the database
    database_url: Annotated[
        Postgres | None,
        Meta(description="A PostgreSQL server, 14 or newer; `sslmode` and the rest are honoured. Unset: our own."),
    ] = None
    listen_url: Annotated[
        Postgres | None,
        Meta(description="A direct address of the same database, where `DATABASE_URL` leads through a pooler."),
    ] = None
    pooler: Annotated[
        bool,
        Meta(description="`DATABASE_URL` is a transaction-mode pooler: no prepared statements, no LISTEN there."),
    ] = False
    postgres_major: Annotated[Literal[16, 18], Meta(description="The major version of our own server.")] = 18
    pool_size: Annotated[Count, Meta(description="Database connections for queries, per process, at most.")] = 8
    query_seconds: Annotated[Seconds, Meta(description="How long one query of the API may take.")] = 30.0

    # waking
    ping_seconds: Annotated[Seconds, Meta(description="How often the listener checks that it still hears.")] = 30.0
    deaf_poll_seconds: Annotated[Seconds, Meta(description="How often, while no listener can be had.")] = 1.0

    # the API
    host: Annotated[str, Meta(description="Address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Its port; 0 picks a free one.")] = 8787
    body_limit_bytes: Annotated[Bytes, Meta(description="The largest request body; beyond it 413.")] = 16 << 20
    allowed_origins: Annotated[
        str,
        Meta(description="Origins whose pages may use the API with a token, like `https://ops.example`, by commas."),
    ] = ""
    connection_limit: Annotated[
        int,
        Meta(
            ge=20,
            le=100_000,
            description="Open connections; as event streams half of it at most, as waiting claims too.",
        ),
    ] = 2_000
    wait_limit_seconds: Annotated[Seconds, Meta(description="The longest `wait_seconds` of a claim.")] = 60.0
    shutdown_seconds: Annotated[Seconds, Meta(description="How long open requests may take to finish.")] = 10.0

    # the command line, and a runner without a database
    api: Annotated[Http | None, Meta(description="The API to speak to. Unset: the one on `ELRUSO_PORT` here.")] = None
    token: Annotated[str | None, Meta(description="The bearer token to show to the API.")] = None
    lang: Annotated[
        Language | None, Meta(description="Language of the command line. Unset: that of `LC_ALL`, `LANG`.")
    ] = None

    # runners
    workspace: Annotated[Path | None, Meta(description="The folder tasks work in, best a git repository.")] = None
    agent: Annotated[
        str | None, Meta(description="Command line for tasks without steps; gets the prompt on stdin.")
    ] = None
    handlers: Annotated[str | None, Meta(description="Module with functions for `python` tasks.")] = None
    grant: Annotated[str, Meta(description="Names of variables that steps may see, separated by commas.")] = ""
    concurrency: Annotated[Count, Meta(description="How many tasks a runner executes at once.")] = 4
    heartbeat_seconds: Annotated[Seconds, Meta(description="How often a runner says that it is alive.")] = 7.0
    lease_seconds: Annotated[Seconds, Meta(description="A runner unseen for this long loses its tasks.")] = 15.0
    client_lease_seconds: Annotated[
        Seconds, Meta(description="The same for a runner over HTTP that sends no heartbeats while it works.")
    ] = 900.0
    shell: Annotated[
        Literal["plain", "strict"],
        Meta(
            description="How steps and checks run: `plain` is `bash -c`, `strict` is `bash -euo pipefail -c`. A task "
            "can choose in `params.shell`."
        ),
    ] = "plain"
    step_seconds: Annotated[Seconds, Meta(description="How long a step may take that names no limit itself.")] = 3600.0
    drain_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="How long the tasks of a stopping runner may run on.")
    ] = 0.0
    git_seconds: Annotated[
        Seconds, Meta(description="How long one git command may take; a checkout with LFS or filters may need more.")
    ] = 600.0
    kept_days: Annotated[
        float, Meta(ge=0, le=3650, description="How long work that no commit holds stays in `ELRUSO_HOME/kept`.")
    ] = 7.0
    committed_secrets: Annotated[
        Literal["refuse", "allow"],
        Meta(description="Whether a run that would commit a stored value of the vault fails, or is let through."),
    ] = "refuse"
    output_limit_bytes: Annotated[Bytes, Meta(description="Output kept of one step; the rest is counted.")] = 1 << 20

    # directives and the planner
    approval: Annotated[
        Literal["auto", "manual"],
        Meta(description="When the tasks of a directive are created: with it, or when somebody applies it."),
    ] = "auto"
    openai_base_url: Annotated[
        Http | None, Meta(description="The OpenAI-compatible server the planner asks. Unset: OpenAI's own.")
    ] = None
    planner_model: Annotated[str, Meta(description="The model the planner asks.")] = "gpt-4.1"
    planner_budget: Annotated[
        float, Meta(ge=0, le=100_000, description="Dollars the planner may spend a day (UTC); beyond it, it refuses.")
    ] = 5.0
    planner_prices: Annotated[
        str,
        Meta(description="What models cost: `model=in/out` or `model=in/out/cached`, dollars a million tokens."),
    ] = (
        "gpt-4.1=2/8/0.5 gpt-4.1-mini=0.4/1.6/0.1 gpt-4.1-nano=0.1/0.4/0.025 gpt-4o=2.5/10/1.25 "
        "gpt-4o-mini=0.15/0.6/0.075 gpt-5=1.25/10/0.125 gpt-5-mini=0.25/2/0.025 o3=2/8/0.5 o4-mini=1.1/4.4/0.275"
    )
    planner_output_tokens: Annotated[
        int, Meta(ge=256, le=1_000_000, description="The longest answer of the model, in tokens.")
    ] = 16_384
    planner_seconds: Annotated[
        Seconds, Meta(description="How long the model may take for one answer, repeated requests included.")
    ] = 180.0
    planner_prompt_characters: Annotated[
        int, Meta(ge=4_000, le=2_000_000, description="The longest prompt; what matters least is left out.")
    ] = 60_000
    planner_directives: Annotated[Count, Meta(description="How many directives of one answer are taken.")] = 10

    # logs
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="What is worth a line in the log.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "console", "json"], Meta(description="How logs look; `auto` is `console` on a terminal.")
    ] = "auto"

    @property
    def language(self) -> Language:
        """The language of the command line."""
        return self.lang or "en"

    @property
    def direct_url(self) -> str | None:
        """Where LISTEN and locks that outlive a transaction work; None where only a pooler is known."""
        return self.listen_url or (None if self.pooler else self.database_url)

    @property
    def api_url(self) -> str:
        """The API that commands and runners without a database speak to, without a slash at its end."""
        return (self.api or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def granted_names(self) -> tuple[str, ...]:
        """The variables that steps may see beside the harmless ones."""
        return tuple(name.strip() for name in self.grant.split(",") if name.strip())

    @property
    def origins(self) -> frozenset[str]:
        """The origins of other sites whose pages may use the API. Raises OperatorError for one that is none."""
        names = [name.strip() for name in self.allowed_origins.split(",") if name.strip()]
        for name in names:
            if not is_origin(name):
                raise OperatorError("config.bad_origin", entry=name)
        return frozenset(names)

    @property
    def known_secrets(self) -> tuple[str, ...]:
        """The secrets that the settings themselves hold."""
        addresses = [urlsplit(address) for address in (self.database_url, self.listen_url, self.api) if address]
        passwords = [unquote(address.password) for address in addresses if address.password]
        return (*passwords, *(secret for secret in (self.token, self.vault_passphrase) if secret))


SETTINGS: tuple[Setting, ...] = describe_settings(Config, OTHER_NAMES)


def read_config(environment: Mapping[str, str] | None = None) -> Config:
    """The Config of this process's environment, or of the mapping given instead.

    Raises OperatorError naming the variable, its value (never a password) and what is allowed.
    """
    given = os.environ if environment is None else environment
    home = given.get("HOME") or str(Path.home())
    values = {setting.field: read_setting(setting, given, home) for setting in SETTINGS}
    if values["lang"] is None:
        values["lang"] = _locale_language(given)
    config = Config(**values)
    if config.heartbeat_seconds * 2 > config.lease_seconds:
        raise OperatorError("config.lease_too_short", lease=config.lease_seconds, heartbeat=config.heartbeat_seconds)
    read_prices(config.planner_prices)
    _ = config.origins
    return config


def unknown_settings(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Variables that look like settings and are none, each with the setting it may have meant."""
    given = os.environ if environment is None else environment
    known = {name for setting in SETTINGS for name in setting.names}
    strange = [name for name in given if name.startswith("ELRUSO_") and name not in known | NOT_OURS]
    close = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.75) for name in sorted(strange)}
    return {name: matches[0] if matches else None for name, matches in close.items()}


def inherited_environment() -> dict[str, str]:
    """A copy of this process's environment, for those who make one for a child."""
    return _set_aside | os.environ


def set_libpq_variables_aside() -> None:
    """Where our own server is used, hide PGHOST, PGSSLMODE, PGSERVICE and the like from the driver of this process.

    They are about other servers, and would be mixed into its address. Children still inherit them. With DATABASE_URL
    they fill in what the address leaves open, as for every client of PostgreSQL.
    """
    if os.environ.get("DATABASE_URL", "").strip():
        return
    for name in [name for name in os.environ if name.startswith("PG")]:
        _set_aside[name] = os.environ.pop(name)


def libpq_variables() -> list[str]:
    """The names of variables that fill in what DATABASE_URL leaves open; none where our own server is used."""
    return sorted(name for name in os.environ if name.startswith("PG"))


def client_environment() -> dict[str, str]:
    """What PostgreSQL's client programs get: our environment without settings and what concerns other libraries."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ELRUSO_", "LD_", "DYLD_"))}


_set_aside: dict[str, str] = {}


def adopt_environment(variables: Mapping[str, str], without: str | None = None) -> None:
    """Have these variables as if this process had been started with them."""
    os.environ.update(variables)
    if without is not None:
        os.environ.pop(without, None)


def _locale_language(environment: Mapping[str, str]) -> Language:
    locale = next((environment[name] for name in LOCALE_NAMES if environment.get(name)), "")
    return "es" if locale.lower().startswith("es") else "en"


def environment_language(environment: Mapping[str, str] | None = None) -> Language:
    """The operator's language, also where the rest of the settings is wrong and that must be said."""
    given = os.environ if environment is None else environment
    chosen = given.get("ELRUSO_LANG", "").strip().lower()
    return "es" if chosen == "es" else "en" if chosen == "en" else _locale_language(given)
