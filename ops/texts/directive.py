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
        es="Qué crearía aplicarla: tareas en orden, comandos, alcances.",
        en="What applying it would create: tasks in order, commands, scopes.",
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
    "directive.scope": Text(es="alcance", en="scope"),
    "directive.missing": Text(
        es="Falta {request} {reason}: guarda su valor antes de aplicar.",
        en="{request} is missing {reason}: store its value before applying.",
    ),
    "directive.applied": Text(es="Directiva {id} aplicada.", en="Directive {id} applied."),
    "directive.rejected": Text(es="Directiva {id} rechazada.", en="Directive {id} rejected."),
}
