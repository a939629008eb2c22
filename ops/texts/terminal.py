"""What concerns every command."""

from ops.texts.text import Text

TEXTS = {
    "help.words.usage": Text(es="Uso:", en="Usage:"),
    "help.words.options": Text(es="Opciones", en="Options"),
    "help.words.commands": Text(es="Órdenes", en="Commands"),
    "help.words.help": Text(es="Muestra esta ayuda.", en="Show this message and exit."),
    "help.words.version": Text(es="Muestra la versión.", en="Show the version and exit."),
    "help.words.some_options": Text(es="[OPCIONES]", en="[OPTIONS]"),
    "help.words.some_command": Text(es="ORDEN [ARGUMENTOS]...", en="COMMAND [ARGS]..."),
    "help.words.default": Text(es="[por defecto: ", en="[default: "),
    "help.elruso": Text(
        es="El Ruso mantiene el trabajo en marcha: un registro de eventos, vistas plegadas de él, "
        "runners que despiertan con él.",
        en="El Ruso keeps work moving: one log of events, views folded from it, runners woken by it.",
    ),
    "help.lang": Text(es="Idioma de los mensajes.", en="Language of the messages."),
    "terminal.error": Text(es="Error: {detail}", en="Error: {detail}"),
    "terminal.system": Text(
        es="El sistema lo impide: {detail}. Corrígelo (permisos, espacio en el disco, red) y repite la orden.",
        en="The system does not allow it: {detail}. Fix that (permissions, disk, network) and repeat the command.",
    ),
    "terminal.database": Text(
        es="PostgreSQL interrumpió la orden: {detail}. No quedó nada a medias. Mira elruso doctor y repítela.",
        en="PostgreSQL interrupted the command: {detail}. Nothing is half done. See elruso doctor, and repeat it.",
    ),
    "terminal.unreachable": Text(
        es="No se llega a la base de datos ({detail}). Comprueba DATABASE_URL y que el servidor esté en marcha.",
        en="The database cannot be reached ({detail}). Check DATABASE_URL and that the server runs.",
    ),
    "terminal.inside_run": Text(
        es="Estás dentro de la ejecución {run} de la tarea {task}. Sin token, la API rechaza las peticiones de aquí; "
        "con token, permite lo que permita su rol.",
        en="You are inside run {run} of task {task}. Without a token the API refuses requests from here; with one it "
        "allows what the token's role allows.",
    ),
    "terminal.interrupted": Text(es="Interrumpido.", en="Interrupted."),
    "terminal.stranger": Text(
        es="El paquete «{name}» no es el de El Ruso: lo tapa {path}. Usa el entorno que crea ./elruso.",
        en="The package `{name}` is not El Ruso's: {path} hides it. Use the environment that ./elruso makes.",
    ),
    "terminal.marker.spaces": Text(es="{count} espacios", en="{count} spaces"),
    "terminal.marker.spaces.one": Text(es="1 espacio", en="1 space"),
    "terminal.marker.tabs": Text(es="{count} tabuladores", en="{count} tabs"),
    "terminal.marker.tabs.one": Text(es="1 tabulador", en="1 tab"),
    "terminal.marker.blank_lines": Text(es="{count} líneas en blanco", en="{count} blank lines"),
    "terminal.marker.blank_lines.one": Text(es="1 línea en blanco", en="1 blank line"),
}
