"""`elruso db`."""

from ops.texts.text import Text

TEXTS = {
    "help.db": Text(es="La base de datos.", en="The database."),
    "help.db.migrate": Text(
        es="Crea la base de datos o la pone al día.",
        en="Create the database or bring it up to date.",
    ),
    "help.db.backup": Text(
        es="Guarda toda la base de datos en un archivo, mientras todo sigue trabajando.",
        en="Write the whole database into one file, while everything goes on working.",
    ),
    "help.db.backup.force": Text(es="Aunque el archivo exista.", en="Even if the file exists."),
    "backup.exists": Text(
        es="{file} ya existe y no se toca. Da otro nombre, o --force para reemplazarlo.",
        en="{file} exists and stays as it is. Give another name, or --force to replace it.",
    ),
    "help.db.psql": Text(
        es="El psql que viene incluido, sobre esta base de datos: elruso db psql -c 'SELECT 1'",
        en="The psql that comes along, on this database: elruso db psql -c 'SELECT 1'",
    ),
    "help.db.restore": Text(
        es="Llena una base de datos vacía con una copia.", en="Fill an empty database from a backup."
    ),
    "db.backed_up": Text(es="Copia en {file} ({megabytes:.1f} MB).", en="Backup in {file} ({megabytes:.1f} MB)."),
    "db.restored": Text(
        es="Restaurada la copia {file}. Compruébala: elruso audit",
        en="Restored the backup {file}. Check it: elruso audit",
    ),
    "backup.nothing": Text(
        es="La base de datos está vacía: no hay nada que guardar.",
        en="The database is empty: there is nothing to keep.",
    ),
    "backup.not_empty": Text(
        es="La base de datos no está vacía y no se toca. Restaura en otra: otra carpeta en ELRUSO_HOME, "
        "u otra dirección en DATABASE_URL.",
        en="The database is not empty and stays as it is. Restore into another: another folder in ELRUSO_HOME, "
        "or another address in DATABASE_URL.",
    ),
    "backup.unwritable": Text(es="No se puede escribir {file}: {detail}", en="{file} cannot be written: {detail}"),
    "backup.failed": Text(es="pg_dump no pudo hacer la copia:\n{output}", en="pg_dump could not back up:\n{output}"),
    "backup.not_restored": Text(
        es="pg_restore no pudo restaurar, y no cambió nada:\n{output}",
        en="pg_restore could not restore, and changed nothing:\n{output}",
    ),
    "help.db.url": Text(
        es='La dirección para psql: psql "$(elruso db url)". Arranca el servidor propio y lo deja en marcha.',
        en='The address for psql: psql "$(elruso db url)". Starts our own server and leaves it running.',
    ),
    "help.db.url.socket": Text(
        es="La dirección del socket unix en lugar de la de TCP.",
        en="The address of the unix socket instead of TCP's.",
    ),
    "help.db.stop": Text(es="Detiene el servidor propio.", en="Stop our own server."),
    "help.db.stop.force": Text(
        es="Aunque otros procesos lo estén usando.",
        en="Even while other processes use it.",
    ),
    "db.created": Text(es="Base de datos creada.", en="Database created."),
    "db.applied": Text(es="Aplicada la migración {name}.", en="Applied migration {name}."),
    "db.rebuilt": Text(es="Vistas rehechas a partir del registro.", en="Views rebuilt from the log."),
    "db.current": Text(es="La base de datos está al día.", en="The database is up to date."),
    "db.stopped": Text(es="PostgreSQL detenido.", en="PostgreSQL stopped."),
    "db.not_running": Text(es="PostgreSQL no estaba en marcha.", en="PostgreSQL was not running."),
}
