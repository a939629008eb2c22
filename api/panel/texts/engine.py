"""What the engine itself writes into the log: reasons and errors, as it words them and in Spanish.

The log keeps one wording, the English one, for ever. Each `en` here is that wording (a test looks for it in the
source), by which api/panel/engine.py knows it again; what is not known is somebody's own text, and stays as it is.

Facts: `rest` is known again by itself, `status` is a status, `number`, `attempt`, `most` and `code` are whole numbers;
any other is left as it stands.
"""

from api.text import Text

TEXTS = {
    "engine.parent_error": Text(
        es="la tarea {parent}, de la que depende, está {status}: {rest}", en="parent {parent} is {status}: {rest}"
    ),
    "engine.parent": Text(es="la tarea {parent}, de la que depende, está {status}", en="parent {parent} is {status}"),
    "engine.parent_requeued": Text(
        es="la tarea {parent}, de la que depende, volvió a la cola", en="parent {parent} was requeued"
    ),
    "engine.all_done": Text(es="todas sus tareas están hechas", en="all its tasks are done"),
    "engine.attempt": Text(es="falló el intento {attempt} de {most}", en="attempt {attempt} of {most} failed"),
    "engine.unseen": Text(
        es="el runner {runner} no da señales desde hace {seconds} s",
        en="runner {runner} has not been seen for {seconds} s",
    ),
    "engine.overran": Text(
        es="el runner {runner} no terminó la ejecución en sus {seconds} s",
        en="runner {runner} did not end the run within its {seconds} s",
    ),
    "engine.done_by_hand": Text(es="marcada como hecha, sin ejecución", en="marked as done, without a run"),
    "engine.by_hand": Text(es="reencolada a mano", en="requeued by hand"),
    "engine.retry": Text(es="se repite la ejecución {number}", en="run {number} is to be tried again"),
    "engine.client_gone": Text(
        es="el cliente se fue antes de recibir la tarea", en="the client had gone before its claim was answered"
    ),
    "engine.given_back": Text(es="su runner la devolvió", en="given back by its runner"),
    "engine.stops": Text(es="su runner se para", en="its runner stops"),
    "engine.drains": Text(es="su runner se vacía", en="its runner drains"),
    "engine.stray": Text(es="su runner no sabe nada de esta ejecución", en="its runner knows nothing of this run"),
    "engine.silent": Text(
        es="su runner no dio señales en todo su plazo", en="its runner could not be seen for the time of its lease"
    ),
    "engine.broke_down": Text(
        es="el propio runner falló en esta ejecución: {rest}", en="the runner broke down over this run: {rest}"
    ),
    "engine.report_refused": Text(
        es="se rechazó un informe de esta ejecución: {rest}", en="a report of this run was refused: {rest}"
    ),
    "engine.database_fault": Text(
        es="error inesperado de la base de datos ({state}: {message})",
        en="unexpected error of the database ({state}: {message})",
    ),
    "engine.request_too_large": Text(
        es="un proxy delante de la API rechaza una petición tan grande ({shown})",
        en="a proxy before the API refuses so large a request ({shown})",
    ),
    "engine.not_the_api": Text(
        es="responde algo que no es la API ({shown}); revisa ELRUSO_API",
        en="something else than the API answers ({shown}); check ELRUSO_API",
    ),
    "engine.api_failed": Text(
        es="la API falló ({shown}); su registro dice por qué", en="the API failed ({shown}); its log says why"
    ),
    "engine.step_stopped": Text(
        es="el paso {number} ({name}) se detuvo: {rest}", en="step {number} ({name}) was stopped: {rest}"
    ),
    "engine.step": Text(es="paso {number} ({name}): {rest}", en="step {number} ({name}): {rest}"),
    "engine.exit_line": Text(es="código de salida {code}: {line}", en="exit code {code}: {line}"),
    "engine.exit": Text(es="código de salida {code}", en="exit code {code}"),
    "engine.timed_out_line": Text(
        es="se agotó su tiempo, {seconds} s: {line}", en="timed out after {seconds} s: {line}"
    ),
    "engine.timed_out": Text(es="se agotó su tiempo, {seconds} s", en="timed out after {seconds} s"),
    "engine.timeout": Text(
        es="pasó el tiempo máximo de la tarea, {seconds} s", en="the task's timeout of {seconds} s has passed"
    ),
    "engine.missing_files": Text(es="faltan archivos esperados: {files}", en="expected files are missing: {files}"),
    "engine.scope": Text(
        es="cambió archivos fuera de lo permitido ({scope}): {files}",
        en="changed files outside allowed_scope ({scope}): {files}",
    ),
    "engine.no_agent": Text(
        es="una tarea para un agente necesita uno: pon en ELRUSO_AGENT, en el runner, su línea de órdenes",
        en="an agent task needs an agent: set ELRUSO_AGENT on the runner to its command line",
    ),
    "engine.no_handler": Text(
        es="este runner no tiene la función {name} (conoce {known})",
        en="no handler {name} on this runner (it knows {known})",
    ),
    "engine.rejected_reason": Text(
        es="la directiva {id} fue rechazada: {reason}", en="directive {id} was rejected: {reason}"
    ),
    "engine.rejected": Text(es="la directiva {id} fue rechazada", en="directive {id} was rejected"),
    "engine.tasks_json": Text(es="según TASKS.json", en="as TASKS.json says"),
    "engine.requests_json": Text(es="según REQUESTS.json", en="as REQUESTS.json says"),
    "engine.removed": Text(es="se quitó del vault: {names}", en="{names} was removed from the vault"),
    "engine.no_reason": Text(es="nadie dijo por qué", en="no reason was given"),
    # summaries of runs
    "engine.step_done": Text(es="1 paso", en="1 step"),
    "engine.steps_done": Text(es="{number} pasos", en="{number} steps"),
    "engine.file_changed": Text(es="1 archivo cambiado, {lines}", en="1 file changed, {lines}"),
    "engine.files_changed": Text(es="{number} archivos cambiados, {lines}", en="{number} files changed, {lines}"),
    # refusals
    "engine.no_task": Text(es="no hay ninguna tarea {id}", en="there is no task {id}"),
    "engine.no_run": Text(es="no hay ninguna ejecución {id}", en="there is no run {id}"),
    "engine.no_runner": Text(
        es="no hay ningún runner {id}", en="there is no runner {id}; GET /ops/runner/status lists them"
    ),
    "engine.no_directive": Text(es="no hay ninguna directiva {id}", en="there is no directive {id}"),
    "engine.no_event": Text(es="no hay ningún evento {number}", en="there is no event {number}"),
    "engine.no_page": Text(es="no hay ninguna página {name}", en="there is no page {name}"),
    "engine.not_possible": Text(
        es="{type} no es posible: la tarea {id} está {status}", en="{type} is not possible: task {id} is {status}"
    ),
    "engine.runner_gone": Text(
        es="{type} no es posible: el runner {id} está parado y no toma nada",
        en="{type} is not possible: runner {id} is stopped and claims nothing",
    ),
    "engine.was_rejected": Text(
        es="la directiva {id} fue rechazada; proponla de nuevo", en="directive {id} was rejected; propose it anew"
    ),
    "engine.begun": Text(
        es="{names}: ya ha empezado; cancela la tarea", en="{names} has begun already; cancel the task instead"
    ),
    "engine.needs_title": Text(es="una tarea necesita un título", en="a task needs a title"),
    "engine.order": Text(
        es="sort: {order} es para tareas en marcha; newest y oldest, para todas",
        en="sort: {order} is for running tasks; newest and oldest are for all",
    ),
    "engine.other_site": Text(
        es="una página de otro sitio no debe cambiar nada aquí; abre el panel y hazlo allí",
        en="a page of another site must not change anything here; open the panel and do it there",
    ),
}
