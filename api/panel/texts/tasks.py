"""Tasks: the list, one of them, many at once; and why one is not running."""

from api.text import Text

TEXTS = {
    "task.new": Text(es="Nueva tarea", en="New task"),
    "task.confirm": Text(es="¿Es lo que quieres ejecutar?", en="Is this what you want to run?"),
    "task.confirm_text": Text(
        es="El texto contiene caracteres invisibles o engañosos. Así se ejecutaría:",
        en="The text contains invisible or misleading characters. This is what would run:",
    ),
    "task.create_as_shown": Text(es="Crear tal como está", en="Create as shown"),
    "task.create": Text(es="Crear", en="Create"),
    "task.created": Text(es="Tarea creada.", en="Task created."),
    "task.title": Text(es="Título", en="Title"),
    "task.steps": Text(es="Pasos", en="Steps"),
    "task.steps_text": Text(
        es="Cada paso es un script de bash, de una línea o de varias. El primer paso que falla termina la ejecución. "
        "Dentro de un paso cuenta su última orden: pon set -e al principio para que pare en la primera que falle.",
        en="Each step is one bash script, of one line or many. The first step that fails ends the run. Within a step "
        "the last command counts: begin it with set -e to stop at the first one that fails.",
    ),
    "task.step": Text(es="Paso {number}", en="Step {number}"),
    "task.add_step": Text(es="Añadir un paso", en="Add a step"),
    "task.prompt": Text(
        es="Descripción; sin comandos, es el encargo para el agente",
        en="Description; without commands it is the prompt for the agent",
    ),
    "task.after": Text(es="Después de (ids, separados por espacios)", en="After (ids, separated by spaces)"),
    "task.priority": Text(es="Prioridad", en="Priority"),
    "task.change": Text(es="cambiar", en="change"),
    "task.attempts": Text(es="Intentos", en="Attempts"),
    "task.when": Text(es="Último cambio", en="Last change"),
    "task.waits": Text(es="espera a {count}", en="waits for {count}"),
    "task.rests": Text(es="se repite a partir de", en="tried again at"),
    "task.scheduled": Text(es="no antes de", en="not before"),
    "task.none": Text(es="Ninguna tarea", en="No tasks"),
    "task.none_text": Text(
        es="Crea una aquí, con «elruso task add», o deja que GPT proponga una directiva.",
        en="Create one here, with `elruso task add`, or let GPT propose a directive.",
    ),
    "task.none_filter": Text(es="Ninguna coincide con el filtro.", en="None agrees with the filter."),
    "task.total": Text(es="{count} en total", en="{count} in all"),
    "task.requeue": Text(es="Reencolar", en="Requeue"),
    "task.cancel": Text(es="Cancelar", en="Cancel"),
    "task.requeued": Text(es="La tarea vuelve a estar lista.", en="The task is ready again."),
    "task.was_ready": Text(
        es="No ha cambiado nada: la tarea ya estaba lista.", en="Nothing has changed: the task was ready already."
    ),
    "task.cancelled": Text(es="Tarea cancelada.", en="Task cancelled."),
    "task.story": Text(es="Su historia", en="Its story"),
    "task.in_log": Text(es="En el registro", en="In the log"),
    "task.earlier": Text(es="Hay más antes; míralo en el registro.", en="There is more before this; see the log."),
    "task.facts": Text(es="Datos", en="Facts"),
    "task.type": Text(es="Tipo", en="Type"),
    "task.created_at": Text(es="Creada", en="Created"),
    "task.timeout": Text(es="Tiempo máximo", en="Time limit"),
    "task.around": Text(es="Qué espera a qué", en="What waits for what"),
    "task.around_more": Text(es="Hay más de las que caben.", en="There are more than fit here."),
    "task.around_label": Text(
        es="Las tareas de las que depende y las que dependen de ella",
        en="The tasks it depends on, and those that depend on it",
    ),
    "task.asked": Text(es="Lo que se pidió", en="What was asked for"),
    "why.title": Text(es="¿Por qué no está en marcha?", en="Why is it not running?"),
    "why.title_now": Text(es="¿Qué pasa con ella?", en="What about it?"),
    "why.paused": Text(
        es="El sistema está en pausa; lo paró {by}. Motivo: {reason}.",
        en="The system is paused, by {by}. Reason: {reason}.",
    ),
    "why.waiting": Text(
        es="Espera a que terminen otras tareas ({count}).", en="It waits for other tasks to be done ({count})."
    ),
    "why.resting": Text(
        es="Falló el intento {attempts} de {max_attempts}; el siguiente será a partir de {until}. Error: {error}",
        en="Attempt {attempts} of {max_attempts} failed; the next one is due at {until}. Error: {error}",
    ),
    "why.scheduled": Text(
        es="Está programada: no empieza antes de {until}.", en="It is scheduled: it does not start before {until}."
    ),
    "why.no_runner": Text(
        es="Ningún runner está en línea. Arranca uno: elruso runner start",
        en="No runner is online. Start one: elruso runner start",
    ),
    "why.unfit": Text(
        es="Ningún runner en línea puede trabajar; {runner}: {problem}. Seguirá por sí mismo cuando esté arreglado.",
        en="No runner that is online can work; {runner}: {problem}. It resumes by itself once that is fixed.",
    ),
    "why.draining": Text(
        es="Todos los runners en línea se están vaciando ({count}). Reanuda uno, o arranca otro.",
        en="Every runner that is online is draining ({count}). Resume one, or start another.",
    ),
    "why.ahead": Text(es="Tiene {count} delante en la cola.", en="{count} {count:is|are} ahead of it in the queue."),
    "why.next": Text(
        es="Nada la retiene: la toma el próximo runner libre.",
        en="Nothing holds it back: the next free runner takes it.",
    ),
    "why.running": Text(es="Está en marcha en {runner}.", en="It is running on {runner}."),
    "why.silent": Text(
        es="Su runner {runner} no da señales desde hace {seconds} s; cuando venza su plazo, vuelve a la cola.",
        en="Its runner {runner} has been silent for {seconds} s; when its lease ends the task goes back to the queue.",
    ),
    "why.blocked": Text(
        es="Bloqueada: {error}. Arréglalo y reencólala.", en="Blocked: {error}. Mend that, then requeue it."
    ),
    "why.blocked_by_parent": Text(
        es="Bloqueada por la tarea {parent}: {error}. Reencola aquella y esta se libera.",
        en="Blocked because of task {parent}: {error}. Requeue that one and this one is freed.",
    ),
    "why.failed": Text(
        es="Su última ejecución falló: {error}. Reencólala para repetir.",
        en="Its last run failed: {error}. Requeue it to try again.",
    ),
    "why.done": Text(es="Está hecha.", en="It is done."),
    "why.cancelled": Text(
        es="Fue cancelada. Reencólala si al final hace falta.", en="It was cancelled. Requeue it to run it after all."
    ),
    "bulk.tick": Text(es="Marcar", en="Tick"),
    "bulk.tick_page": Text(es="Marcar las de esta página", en="Tick this page"),
    "bulk.tick_one": Text(es="Marcar {title}", en="Tick {title}"),
    "bulk.ticked": Text(es="marcadas", en="ticked"),
    "bulk.all": Text(es="Todas las del filtro", en="All that the filter finds"),
    "bulk.requeue": Text(es="Reencolar", en="Requeue"),
    "bulk.cancel": Text(es="Cancelar", en="Cancel"),
    "bulk.priority": Text(es="Prioridad", en="Priority"),
    "bulk.priority_text": Text(es="Prioridad; 0 es lo más urgente", en="Priority; 0 is the most urgent"),
    "bulk.ask.priority": Text(
        es="¿Cambiar la prioridad de {count} {count:tarea|tareas}?",
        en="Change the priority of {count} {count:task|tasks}?",
    ),
    "bulk.priority.done": Text(
        es="Con otra prioridad: {count}. Sin cambios: {left}.", en="Given another priority: {count}. Left: {left}."
    ),
    "bulk.ask.requeue": Text(es="¿Reencolar {count} {count:tarea|tareas}?", en="Requeue {count} {count:task|tasks}?"),
    "bulk.ask.cancel": Text(es="¿Cancelar {count} {count:tarea|tareas}?", en="Cancel {count} {count:task|tasks}?"),
    "bulk.more": Text(
        es="El filtro encuentra más; se toman {most} de una vez.",
        en="The filter finds more; {most} are taken at a time.",
    ),
    "bulk.window": Text(
        es="Se han mirado {window} tareas; puede que entre las demás haya más.",
        en="{window} tasks were looked at; there may be more among the others.",
    ),
    "bulk.next": Text(es="Ver las siguientes", en="See those that come next"),
    "bulk.left": Text(
        es="{count} {count:se queda como está|se quedan como están}: su estado no lo permite.",
        en="{count} {count:stays as it is: its|stay as they are: their} status does not allow it.",
    ),
    "bulk.and_more": Text(es="y {count} más", en="and {count} more"),
    "bulk.reason": Text(es="Motivo (opcional)", en="Reason (optional)"),
    "bulk.back": Text(es="Volver", en="Back"),
    "bulk.nothing": Text(
        es="Marca tareas, o elige «Todas las del filtro».", en="Tick tasks, or choose “All that the filter finds”."
    ),
    "bulk.requeue.done": Text(
        es="Reencoladas: {count}. Sin cambios: {left}.", en="Requeued: {count}. Left as they were: {left}."
    ),
    "bulk.cancel.done": Text(
        es="Canceladas: {count}. Sin cambios: {left}.", en="Cancelled: {count}. Left as they were: {left}."
    ),
}
