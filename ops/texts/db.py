"""`elruso db`."""

from ops.texts.text import Text

TEXTS = {
    "help.db": Text(es="La base de datos.", en="The database."),
    "help.db.migrate": Text(
        es="Crea la base de datos o la pone al día.",
        en="Create the database or bring it up to date.",
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
