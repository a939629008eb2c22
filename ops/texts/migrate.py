"""Migrations."""

from ops.texts.text import Text

TEXTS = {
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
