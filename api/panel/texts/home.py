"""The first page, and runners."""

from api.text import Text

TEXTS = {
    "home.calm": Text(es="Todo en orden", en="All is well"),
    "home.calm_text": Text(
        es="Nada te necesita ahora. {running} en marcha, {online} {online:runner|runners} en línea.",
        en="Nothing needs you now. {running} running, {online} {online:runner|runners} online.",
    ),
    "home.need": Text(es="Una cosa te necesita", en="One thing needs you"),
    "home.needs": Text(es="{count} cosas te necesitan", en="{count} things need you"),
    "home.counts": Text(es="Tareas por estado", en="Tasks by status"),
    "home.day": Text(es="Últimas 24 horas", en="Last 24 hours"),
    "home.day_text": Text(
        es="{ended} {ended:ejecución|ejecuciones}, {failed} {failed:fallida|fallidas}",
        en="{ended} {ended:run|runs}, {failed} failed",
    ),
    "home.now": Text(es="ahora", en="now"),
    "home.bar": Text(
        es="{ended} {ended:terminada|terminadas}, {failed} {failed:fallida|fallidas}",
        en="{ended} ended, {failed} failed",
    ),
    "home.fail_rate": Text(es="Fallan, de las últimas 20", en="Failing, of the last 20"),
    "home.ready_to_done": Text(es="De lista a hecha", en="From ready to done"),
    "home.oldest": Text(es="La que más espera", en="Longest wait"),
    "home.last_run": Text(es="Última ejecución", en="Last run"),
    "home.online": Text(es="{online} en línea", en="{online} online"),
    "home.running": Text(es="En marcha", en="Running now"),
    "home.nothing_runs_text": Text(
        es="Nada. Lo que un runner ejecute aparece aquí en el momento.",
        en="Nothing. What a runner executes appears here at once.",
    ),
    "home.latest": Text(es="Últimas ejecuciones", en="Latest runs"),
    "need.no_runner": Text(
        es="No hay ningún runner en línea y {count} {count:tarea espera|tareas esperan}. Arranca uno: elruso "
        "runner start",
        en="No runner is online, and {count} {count:task waits|tasks wait}. Start one: elruso runner start",
    ),
    "need.draining": Text(
        es="Todos los runners en línea se están vaciando ({online}) y {count} {count:tarea espera|tareas esperan}.",
        en="Every runner that is online is draining ({online}), and {count} {count:task waits|tasks wait}.",
    ),
    "need.unfit": Text(
        es="El runner {id} no puede trabajar: {fault} Seguirá por sí mismo cuando esté arreglado.",
        en="Runner {id} cannot work: {fault} It resumes by itself once that is fixed.",
    ),
    "fault.missing": Text(es="no está {path}.", en="{path} is not there."),
    "fault.not_a_repository": Text(
        es="{path} no se puede usar como repositorio git con al menos un commit.",
        en="{path} cannot be used as a git repository with at least one commit.",
    ),
    "fault.full": Text(es="el disco de {path} está lleno.", en="the disk of {path} is full."),
    "fault.read_only": Text(es="no puede escribir en {path}.", en="it cannot write to {path}."),
    "fault.broken": Text(
        es="{path} da errores de lectura o escritura.", en="{path} gives errors when read or written."
    ),
    "fault.silent": Text(es="{path} no responde.", en="{path} does not answer."),
    "fault.other": Text(es="algo le pasa a {path}.", en="something is wrong with {path}."),
    "need.lost_runner": Text(
        es="{count} {count:runner desapareció|runners desaparecieron} con tareas en curso; pronto vuelven a la cola.",
        en="{count} {count:runner|runners} vanished with running tasks; those go back to the queue soon.",
    ),
    "need.paused": Text(
        es="El sistema está en pausa y {count} {count:tarea espera|tareas esperan}.",
        en="The system is paused, and {count} {count:task waits|tasks wait}.",
    ),
    "need.blocked": Text(
        es="Tareas bloqueadas: {count}. Mira por qué, arréglalo y reencólalas.",
        en="Blocked tasks: {count}. See why, mend it, requeue them.",
    ),
    "need.failed": Text(es="Tareas fallidas: {count}.", en="Failed tasks: {count}."),
    "need.fail_rate": Text(es="Falla el {rate} de las últimas ejecuciones.", en="{rate} of the latest runs failed."),
    "need.requests_file": Text(
        es="No se puede leer REQUESTS.json: {detail}", en="REQUESTS.json cannot be read: {detail}"
    ),
    "need.old": Text(es="La tarea más antigua espera desde hace {age}.", en="The oldest task has waited for {age}."),
    "need.holder": Text(
        es="{name} tiene una transacción abierta desde hace {age}: nada de lo borrado se limpia y la cola se vuelve "
        "lenta. Para cerrarla: {remedy}",
        en="{name} has had a transaction open for {age}: nothing that was deleted is cleaned up, and the queue gets "
        "slow. To end it: {remedy}",
    ),
    "need.deaf": Text(
        es="La API no oye los avisos de la base de datos y sondea; todo llega, algo más tarde.",
        en="The API does not hear the database's wake-ups and polls; all arrives, a little later.",
    ),
    "pause.title": Text(es="Reparto de trabajo", en="Handing out work"),
    "pause.active": Text(
        es="Activo: las tareas listas se reparten en cuanto hay un runner libre.",
        en="Active: ready tasks are handed out as soon as a runner is free.",
    ),
    "pause.since": Text(es="En pausa por {by} desde", en="Paused by {by} since"),
    "pause.reason": Text(es="Motivo (opcional)", en="Reason (optional)"),
    "pause.pause": Text(es="Pausar", en="Pause"),
    "pause.resume": Text(es="Reanudar", en="Resume"),
    "pause.paused": Text(
        es="En pausa: no se reparte nada nuevo; lo que está en marcha sigue.",
        en="Paused: nothing new is handed out; what runs goes on.",
    ),
    "pause.resumed": Text(es="Reanudado.", en="Resumed."),
    "wake.listening": Text(
        es="La API oye los avisos: lo nuevo se ve al instante.", en="The API hears wake-ups: news arrives at once."
    ),
    "wake.polling": Text(
        es="La API sondea: no oye los avisos de la base de datos.", en="The API polls: it hears no wake-ups."
    ),
    "runner.none": Text(es="Ningún runner en línea", en="No runner is online"),
    "runner.none_text": Text(
        es="Arranca uno con «elruso runner start»; aparece aquí en cuanto da señales de vida.",
        en="Start one with `elruso runner start`; it appears here with its first sign of life.",
    ),
    "runner.holds": Text(es="{count} en curso", en="{count} in hand"),
    "runner.slots": Text(es="Ocupación", en="Slots"),
    "runner.of": Text(es="{used} de {slots}", en="{used} of {slots}"),
    "runner.wakes": Text(es="Se entera por", en="Hears of work by"),
    "runner.mode.listening": Text(es="avisos de PostgreSQL", en="PostgreSQL notifications"),
    "runner.mode.polling": Text(es="sondeo", en="polling"),
    "runner.mode.http": Text(es="HTTP, espera larga", en="HTTP long poll"),
    "runner.host": Text(es="Máquina y proceso", en="Host and process"),
    "runner.version": Text(es="Versión", en="Version"),
    "runner.since": Text(es="En marcha desde", en="Up since"),
    "runner.seen": Text(es="Visto", en="Last seen"),
    "runner.idle": Text(es="Libre: espera trabajo.", en="Idle: it waits for work."),
    "runner.empty": Text(
        es="Vacío: se puede parar sin que nada vuelva a la cola.", en="Drained: stopped now, it gives nothing back."
    ),
    "runner.drain": Text(es="Vaciar…", en="Drain…"),
    "runner.drain_ask": Text(
        es="Termina lo que ejecuta y no toma nada más. Sigue en línea, libre, hasta que lo pares o lo reanudes.",
        en="It finishes what it executes and takes nothing more. It stays online, idle, until you stop or resume it.",
    ),
    "runner.drain_do": Text(es="Sí, vaciarlo", en="Yes, drain it"),
    "runner.drains": Text(es="El runner {id} se vacía.", en="Runner {id} is draining."),
    "runner.draining_by": Text(es="Lo vacía {by} desde", en="Told to drain by {by} at"),
    "runner.resume": Text(es="Volver a darle trabajo", en="Hand it work again"),
    "runner.resumed": Text(es="El runner {id} vuelve a tomar tareas.", en="Runner {id} takes tasks again."),
    "runner.gone": Text(es="Fuera de línea", en="Offline"),
    "runner.past": Text(es="Ver también los que ya no están", en="Show those of past starts, too"),
    "runner.held": Text(es="Tareas en la mano", en="Tasks in hand"),
}
