"""`elruso task`, and the client behind it."""

from ops.texts.text import Text

TEXTS = {
    "help.task": Text(es="Tareas: crear, ver, reencolar, cancelar.", en="Tasks: add, look, requeue, cancel."),
    "help.task.add": Text(
        es="Crea una tarea, o las de un archivo JSON; muestra sus ids.",
        en="Create a task, or those of a JSON file; print the ids.",
    ),
    "help.task.add.id": Text(es="Su id; sin él se genera uno.", en="Its id; without it one is made."),
    "help.task.add.step": Text(
        es="Un comando; se puede repetir, en orden.", en="A command; may be repeated, in order."
    ),
    "help.task.add.type": Text(
        es="Quién la ejecuta; sin él, shell si hay pasos, y si no, agent.",
        en="What executes it; without it, shell if there are steps, else agent.",
    ),
    "help.task.add.after": Text(
        es="Id de una tarea que debe terminar antes; se puede repetir.",
        en="Id of a task that must be done before; may be repeated.",
    ),
    "help.task.add.priority": Text(
        es="0 es lo más urgente; por defecto 100.", en="0 is the most urgent; 100 by default."
    ),
    "help.task.add.phase": Text(es="Fase.", en="Phase."),
    "help.task.add.param": Text(
        es="Parámetro nombre=valor; se puede repetir.", en="A parameter name=value; may be repeated."
    ),
    "help.task.add.file": Text(
        es="Archivo JSON con una tarea o una lista; - es la entrada.",
        en="JSON file with a task or a list; - is the input.",
    ),
    "help.task.list": Text(es="Lista de tareas.", en="List tasks."),
    "help.task.list.status": Text(es="Solo las que están así.", en="Only those that are so."),
    "help.task.list.limit": Text(es="Cuántas como mucho.", en="How many at most."),
    "help.task.show": Text(es="Una tarea y sus ejecuciones, en JSON.", en="A task and its runs, as JSON."),
    "help.task.requeue": Text(es="Vuelve a dejar una tarea lista.", en="Make a task ready again."),
    "help.task.requeue.backoff": Text(es="Segundos de espera antes.", en="Seconds to wait before."),
    "help.task.cancel": Text(es="Cancela una tarea, aunque esté en marcha.", en="Cancel a task, even while it runs."),
    "help.task.cancel.reason": Text(es="Por qué.", en="Why."),
    "task.add.title_or_file": Text(
        es="Da un título o --file, uno de los dos: elruso task add «título» --step 'make test'",
        en="Give a title or --file, one of the two: elruso task add 'title' --step 'make test'",
    ),
    "task.add.not_json": Text(es="{file} no es JSON: {detail}", en="{file} is not JSON: {detail}"),
    "task.add.no_steps": Text(
        es="Una tarea shell necesita pasos: --step 'make test'", en="A shell task needs steps: --step 'make test'"
    ),
    "task.add.no_handler": Text(
        es="Una tarea python nombra su función: --param handler=NOMBRE",
        en="A python task names its handler: --param handler=NAME",
    ),
    "task.add.no_value": Text(es="--param {param}: falta el =", en="--param {param}: the = is missing"),
    "task.was_ready": Text(
        es="No ha cambiado nada: la tarea {id} ya estaba lista.",
        en="Nothing has changed: task {id} was ready already.",
    ),
    "task.was_ready_later": Text(
        es="No ha cambiado nada: la tarea {id} ya estaba lista y espera hasta {until:%Y-%m-%d %H:%M:%S}.",
        en="Nothing has changed: task {id} was ready already and waits until {until:%Y-%m-%d %H:%M:%S}.",
    ),
    "task.none": Text(
        es="Ninguna tarea. Crea una: elruso task add «título» --step 'make test'",
        en="No tasks. Add one: elruso task add 'title' --step 'make test'",
    ),
    "task.requeued": Text(es="La tarea {id} vuelve a estar lista.", en="Task {id} is ready again."),
    "task.cancelled": Text(es="Tarea {id} cancelada.", en="Task {id} cancelled."),
    "client.unreachable": Text(
        es="La API no responde en {address} ({detail}). Arráncala con `elruso up`, o indica ELRUSO_API.",
        en="The API does not answer at {address} ({detail}). Start it with `elruso up`, or set ELRUSO_API.",
    ),
    "client.environment": Text(
        es="Las variables de proxy o de certificados del entorno no sirven ({detail}). Revisa ALL_PROXY, HTTP_PROXY, "
        "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR y SSLKEYLOGFILE.",
        en="The environment's variables for proxies or certificates cannot be used ({detail}). Check ALL_PROXY, "
        "HTTP_PROXY, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE.",
    ),
    "client.not_ours": Text(
        es="Lo que responde en {address} (estado {status}) no es la API de El Ruso. Revisa ELRUSO_API.",
        en="What answers at {address} (status {status}) is not El Ruso's API. Check ELRUSO_API.",
    ),
    "client.no_token": Text(
        es="La API pide un token desde que existe el primero. Dale uno a esta shell: export ELRUSO_TOKEN=elr_…\n"
        "Para crear otro: elruso token create NOMBRE --role operator",
        en="The API asks for a token since the first one was made. Give this shell one: export ELRUSO_TOKEN=elr_…\n"
        "To make another: elruso token create NAME --role operator",
    ),
    "client.wrong_token": Text(
        es="La API no conoce el token de ELRUSO_TOKEN: no existe, fue revocado o venció. "
        "Crea otro: elruso token create NOMBRE --role operator",
        en="The API does not know the token in ELRUSO_TOKEN: it is unknown, revoked or expired. "
        "Make another: elruso token create NAME --role operator",
    ),
    "client.no_model_key": Text(
        es="El planificador no tiene clave para su modelo. Guárdala: elruso vault set OPENAI_API_KEY, "
        "o en el panel: {address}/panel/setup",
        en="The planner has no key for its model. Store it: elruso vault set OPENAI_API_KEY, "
        "or in the panel: {address}/panel/setup",
    ),
    "client.refused": Text(es="{code}: {detail}", en="{code}: {detail}"),
}
