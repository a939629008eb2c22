"""What was refused, by the code of the refusal; the detail below it says more."""

from api.text import Text

TEXTS = {
    "error.invalid_input": Text(es="Algo de lo enviado no vale", en="Something that was sent is not valid"),
    "error.unauthorized": Text(es="Hay que entrar antes", en="Sign in first"),
    "error.method_not_allowed": Text(es="Aquí eso no se puede hacer", en="That cannot be done here"),
    "error.conflict": Text(es="Las cosas no están como parecía", en="Things are not as they seemed"),
    "error.wrong_version": Text(
        es="Alguien lo cambió antes; inténtalo otra vez", en="Somebody changed it first; try again"
    ),
    "error.illegal_transition": Text(es="Su estado no lo permite", en="Its status does not allow that"),
    "error.lease_lost": Text(es="Esa ejecución ya no es la actual", en="This run is not the current one any more"),
    "error.duplicate_id": Text(es="Ese id ya lo tiene otra tarea", en="Another task has this id"),
    "error.idempotency_key_reused": Text(
        es="Esa clave de idempotencia es de otra petición", en="This idempotency key belongs to another request"
    ),
    "error.not_eligible": Text(es="Ahora no se puede tomar", en="It cannot be claimed now"),
    "error.duplicate_directive": Text(
        es="Ya hay una directiva igual pendiente", en="The same directive is pending already"
    ),
    "error.requests_missing": Text(es="Faltan credenciales", en="Credentials are missing"),
    "error.openai_key_missing": Text(es="GPT no tiene clave", en="GPT has no key"),
    "error.planner_busy": Text(es="GPT ya está trabajando", en="GPT is at work already"),
    "error.planner_budget_spent": Text(es="El presupuesto de hoy está gastado", en="Today's budget is spent"),
    "error.too_large": Text(es="Es demasiado grande", en="It is too large"),
    "error.beyond_the_log": Text(es="El registro termina antes de ese evento", en="The log ends before that event"),
    "error.headers_too_large": Text(
        es="La cabecera de la petición es demasiado grande", en="The request's headers are too large"
    ),
    "error.request_timeout": Text(es="La petición tardó demasiado en llegar", en="The request took too long to arrive"),
    "error.unprocessable": Text(es="No se puede llevar a cabo", en="It cannot be carried out"),
    "error.unknown_dependency": Text(
        es="Depende de una tarea que no existe", en="It depends on a task that does not exist"
    ),
    "error.dependency_cycle": Text(es="Las tareas se esperan unas a otras", en="The tasks wait for each other"),
    "error.no_actionable_steps": Text(es="No hay nada que ejecutar", en="There is nothing to execute"),
    "error.secret_not_granted": Text(es="Esa credencial no está concedida", en="This credential is not granted"),
    "error.secret_in_text": Text(es="El texto contiene una credencial", en="The text holds a credential"),
    "error.directive_refused": Text(es="La directiva incumple una regla", en="The directive breaks a rule"),
    "error.planner_failed": Text(es="GPT no dio una respuesta útil", en="GPT gave no answer that could be used"),
    "error.busy": Text(es="Demasiadas conexiones abiertas", en="Too many open connections"),
    "error.paused": Text(es="El sistema está en pausa", en="The system is paused"),
    "error.draining": Text(es="Ese runner se está vaciando", en="This runner is draining"),
}
