"""`elruso runner`."""

from ops.texts.text import Text

TEXTS = {
    "help.runner": Text(es="El runner de esta máquina.", en="The runner of this machine."),
    "help.runner.run": Text(
        es="Un runner en primer plano, hasta Ctrl-C.", en="A runner in the foreground, until Ctrl-C."
    ),
    "help.runner.start": Text(
        es="Arranca el runner en segundo plano; si se cae, vuelve a arrancar.",
        en="Start the runner in the background; should it crash, it starts again.",
    ),
    "help.runner.status": Text(
        es="Estado del runner. Termina con 0 si está en marcha, con 3 si no.",
        en="State of the runner. Exit status 0 when it runs, 3 when not.",
    ),
    "help.runner.logs": Text(es="Los últimos registros del runner.", en="The runner's last log lines."),
    "help.runner.stop": Text(
        es="Detiene el runner; sus tareas vuelven a la cola.",
        en="Stop the runner; its tasks go back.",
    ),
    "help.runner.drain": Text(
        es="Vacía un runner: termina lo que ejecuta y no toma nada más.",
        en="Drain a runner: it finishes what it executes and takes nothing more.",
    ),
    "help.runner.drain.reason": Text(es="Por qué.", en="Why."),
    "help.runner.resume": Text(es="Vuelve a darle trabajo a un runner.", en="Hand a runner work again."),
    "help.runner.supervise": Text(
        es="Lo que `start` deja en segundo plano.", en="What `start` leaves in the background."
    ),
    "help.runner.api": Text(
        es="API a través de la que trabajar, sin base de datos.",
        en="API to work through, without a database.",
    ),
    "help.runner.token": Text(es="Token para la API.", en="Token for the API."),
    "help.runner.workspace": Text(
        es="Carpeta en la que trabajan las tareas, mejor un repositorio git.",
        en="Folder that tasks work in, best a git repository.",
    ),
    "help.runner.handlers": Text(
        es="Módulo con funciones para tareas `python`.",
        en="Module with functions for `python` tasks.",
    ),
    "help.runner.agent": Text(
        es="Orden para tareas sin pasos; recibe el encargo por stdin.",
        en="Command line for tasks without steps; gets the prompt on stdin.",
    ),
    "help.runner.concurrency": Text(es="Cuántas tareas a la vez.", en="How many tasks at once."),
    "help.runner.tied": Text(es="Termina cuando se cierra stdin.", en="End when stdin is closed."),
    "help.runner.follow": Text(es="Sigue mostrando lo que llegue.", en="Go on with what comes."),
    "help.runner.lines": Text(es="Cuántas líneas.", en="How many lines."),
    "runner.started": Text(
        es="Runner daemon arrancado (PID {pid})\n  API: {api}\n  Logs: {logs}\n  PID: {file}",
        en="Runner daemon started (PID {pid})\n  API: {api}\n  Logs: {logs}\n  PID: {file}",
    ),
    "runner.already": Text(
        es="El runner ya está en marcha (PID {pid}). Para reiniciarlo: elruso runner stop, y otra vez start.",
        en="The runner is running already (PID {pid}). To restart it: elruso runner stop, then start again.",
    ),
    "runner.not_started": Text(
        es="El runner no arrancó. Sus últimas palabras, de {logs}:\n{output}",
        en="The runner did not start. Its last words, from {logs}:\n{output}",
    ),
    "runner.not_running": Text(
        es="El runner no está en marcha. Para arrancarlo: elruso runner start",
        en="The runner is not running. To start it: elruso runner start",
    ),
    "runner.none_known": Text(
        es="No hay runner en segundo plano. Si hay uno en primer plano no se sabe: {detail}",
        en="No runner is in the background. Whether one is in the foreground is unknown: {detail}",
    ),
    "runner.foreground": Text(
        es="Runner en marcha en primer plano, con `elruso up` o `runner run` (PID {pid})\n"
        "  Online: {online}\n  Termina con Ctrl-C en su terminal.",
        en="Runner is running in the foreground, by `elruso up` or `runner run` (PID {pid})\n"
        "  Online: {online}\n  It ends by Ctrl-C in its terminal.",
    ),
    "runner.running": Text(
        es="Runner en marcha (PID {pid})\n  Desde: {since:%Y-%m-%d %H:%M:%S %Z}\n  Reinicios: {restarts}\n"
        "  Online: {online}\n  API: {api}\n  Logs: {logs}",
        en="Runner is running (PID {pid})\n  Since: {since:%Y-%m-%d %H:%M:%S %Z}\n  Restarts: {restarts}\n"
        "  Online: {online}\n  API: {api}\n  Logs: {logs}",
    ),
    "runner.online": Text(
        es="sí, {id}, visto {seen:%Y-%m-%d %H:%M:%S %Z}", en="yes, {id}, seen {seen:%Y-%m-%d %H:%M:%S %Z}"
    ),
    "runner.online_draining": Text(
        es="sí, {id}, visto {seen:%Y-%m-%d %H:%M:%S %Z}; vaciándose: no toma nada más (elruso runner resume {id})",
        en="yes, {id}, seen {seen:%Y-%m-%d %H:%M:%S %Z}; draining: it takes nothing more (elruso runner resume {id})",
    ),
    "runner.online_unfit": Text(
        es="sí, {id}, visto {seen:%Y-%m-%d %H:%M:%S %Z}; no puede trabajar: {detail}. Vuelve a probar por sí mismo",
        en="yes, {id}, seen {seen:%Y-%m-%d %H:%M:%S %Z}; it cannot work: {detail}. It tries again by itself",
    ),
    "runner.drains": Text(
        es="El runner {id} no toma nada más; le {held:queda|quedan} {held} {held:tarea|tareas}.",
        en="Runner {id} takes nothing more; it still holds {held} {held:task|tasks}.",
    ),
    "runner.resumed": Text(es="El runner {id} vuelve a tomar tareas.", en="Runner {id} takes tasks again."),
    "runner.offline": Text(es="no", en="no"),
    "runner.unknown": Text(es="no se sabe ({detail})", en="unknown ({detail})"),
    "runner.stopped": Text(es="Runner detenido.", en="Runner stopped."),
    "runner.killed": Text(
        es="El runner no obedeció en {seconds:g} s y se mató; sus tareas vuelven cuando venza su plazo.",
        en="The runner did not heed in {seconds:g} s and was killed; its tasks go back when its lease ends.",
    ),
    "runner.no_logs": Text(es="Aún no hay registros ({logs}).", en="There are no logs yet ({logs})."),
}
