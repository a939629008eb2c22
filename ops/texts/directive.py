"""`elruso directive`."""

from ops.texts.text import Text

TEXTS = {
    "help.directive": Text(
        es="Directivas: ver, previsualizar, aplicar, rechazar.", en="Directives: look, preview, apply, reject."
    ),
    "help.directive.list": Text(es="Lista de directivas.", en="List directives."),
    "help.directive.list.status": Text(es="Solo las que están así.", en="Only those that are so."),
    "help.directive.list.limit": Text(es="Cuántas como mucho.", en="How many at most."),
    "help.directive.show": Text(es="Una directiva, en JSON.", en="A directive, as JSON."),
    "help.directive.preview": Text(
        es="Muestra todo lo que ejecutaría: comandos y comprobaciones completos, en orden, con sus límites.",
        en="Show everything that applying it would execute: full commands and checks, in order, with their limits.",
    ),
    "help.directive.apply": Text(es="Aplica una directiva.", en="Apply a directive."),
    "help.directive.apply.without": Text(
        es="Id de una tarea que se deja fuera; se puede repetir.", en="Id of a task to leave out; may be repeated."
    ),
    "help.directive.reject": Text(
        es="Rechaza una directiva; lo que no había empezado se cancela.",
        en="Reject a directive; what of it has not started is cancelled.",
    ),
    "help.directive.reject.reason": Text(es="Por qué.", en="Why."),
    "directive.none": Text(
        es="Ninguna directiva. Para que GPT proponga algo: elruso gpt run",
        en="No directives. To have GPT propose something: elruso gpt run",
    ),
    "directive.scope": Text(es="alcance", en="scope"),
    "directive.step": Text(es="comando", en="command"),
    "directive.check": Text(es="comprobación", en="check"),
    "directive.agent": Text(es="encargo", en="prompt"),
    "directive.handler": Text(es="función de Python", en="Python handler"),
    "directive.timeout": Text(es=" (máximo {seconds} s)", en=" (at most {seconds} s)"),
    "directive.secrets": Text(es="credenciales", en="secrets"),
    "directive.files": Text(es="archivos esperados", en="expected files"),
    "directive.params": Text(es="parámetros", en="parameters"),
    "directive.branch": Text(es="rama", en="branch"),
    "directive.limit": Text(es="tiempo máximo", en="time limit"),
    "directive.priority": Text(es="prioridad", en="priority"),
    "directive.attempts": Text(es="intentos", en="attempts"),
    "directive.type": Text(es="tipo", en="type"),
    "directive.blocked_by": Text(es="bloqueada por", en="blocked by"),
    "directive.warning": Text(
        es="Cuidado: {task_id}, {place}, línea {line}: {detail}. Revísalo antes de aplicar.",
        en="Warning: {task_id}, {place}, line {line}: {detail}. Review it before applying.",
    ),
    "directive.missing": Text(
        es="Falta {request} {reason}: guarda su valor antes de aplicar.",
        en="{request} is missing {reason}: store its value before applying.",
    ),
    "directive.applied": Text(es="Directiva {id} aplicada.", en="Directive {id} applied."),
    "directive.rejected": Text(es="Directiva {id} rechazada.", en="Directive {id} rejected."),
}
