"""Each event as a sentence. Facts are the fields of its data, `id` its stream, `duration` its time in words."""

from api.text import Text

TEXTS = {
    "event.task.created": Text(es="Creada: {title}", en="Created: {title}"),
    "event.task.claimed": Text(es="La tomó {runner}, intento {attempt}", en="Claimed by {runner}, attempt {attempt}"),
    "event.task.started": Text(es="Empezó a ejecutarse", en="Began to execute"),
    "event.task.step": Text(
        es="El paso {number} «{name}» terminó con {exit_code}", en="Step {number} “{name}” ended with {exit_code}"
    ),
    "event.task.done": Text(es="Hecha", en="Done"),
    "event.task.failed": Text(es="Falló", en="Failed"),
    "event.task.requeued": Text(es="Vuelve a la cola", en="Back in the queue"),
    "event.task.prioritized": Text(es="Prioridad {priority}", en="Priority {priority}"),
    "event.task.blocked": Text(es="Bloqueada", en="Blocked"),
    "event.task.cancelled": Text(es="Cancelada", en="Cancelled"),
    "event.runner.started": Text(es="Arrancó el runner", en="The runner came up"),
    "event.runner.heartbeat": Text(es="Sigue vivo", en="It is alive"),
    "event.runner.stopped": Text(es="El runner se despidió", en="The runner left"),
    "event.runner.draining": Text(es="Se vacía: no toma nada más", en="It drains: it takes nothing more"),
    "event.runner.resumed": Text(es="Vuelve a tomar tareas", en="It takes tasks again"),
    "event.system.paused": Text(es="El sistema se puso en pausa", en="The system was paused"),
    "event.system.resumed": Text(es="El sistema se reanudó", en="The system was resumed"),
}
