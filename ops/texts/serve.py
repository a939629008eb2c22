"""`elruso serve` and `elruso up`."""

from ops.texts.text import Text

TEXTS = {
    "help.serve": Text(es="Sirve la API, sin runner.", en="Serve the API, without a runner."),
    "help.serve.host": Text(es="Dirección en la que escuchar.", en="Address to listen on."),
    "help.serve.port": Text(es="Puerto; 0 elige uno libre.", en="Port; 0 picks a free one."),
    "serve.ready": Text(es="API en {address}", en="API at {address}"),
    "serve.stopped": Text(es="API detenida.", en="API stopped."),
    "serve.waiting_for_database": Text(
        es="La base de datos no responde; se sigue intentando hasta que responda (Ctrl-C para terminar). {detail}",
        en="The database does not answer; trying again until it does (Ctrl-C to end). {detail}",
    ),
    "serve.address_taken": Text(
        es="No se puede escuchar en {host}:{port} ({detail}). Elige otro con --port, o para el proceso que lo usa.",
        en="Cannot listen on {host}:{port} ({detail}). Choose another with --port, or stop the process that uses it.",
    ),
    "help.up": Text(
        es="Todo en esta máquina: PostgreSQL, la API y un runner, hasta Ctrl-C.",
        en="Everything on this machine: PostgreSQL, the API and a runner, until Ctrl-C.",
    ),
    "help.up.workspace": Text(
        es="Carpeta en la que trabajan las tareas, mejor un repositorio git.",
        en="Folder that tasks work in, best a git repository.",
    ),
    "help.up.handlers": Text(
        es="Módulo con funciones para tareas `python`.", en="Module with functions for `python` tasks."
    ),
    "help.up.concurrency": Text(es="Cuántas tareas a la vez.", en="How many tasks at once."),
    "up.runner": Text(es="Runner en marcha (PID {pid})", en="Runner started (PID {pid})"),
    "up.runner_again": Text(
        es="El runner terminó con estado {status}; vuelve a arrancar en {seconds:.0f} s.",
        en="The runner ended with status {status}; it starts again in {seconds:.0f} s.",
    ),
    "up.hint": Text(
        es="Prueba: curl -s {address}/ops/metrics | jq .    (Ctrl-C para terminar)",
        en="Try: curl -s {address}/ops/metrics | jq .    (Ctrl-C to end)",
    ),
}
