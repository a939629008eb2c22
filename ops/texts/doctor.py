"""`elruso doctor`."""

from ops.texts.text import Text

TEXTS = {
    "help.doctor": Text(
        es="Mira ajustes, base de datos y espacio de trabajo, y dice qué arreglar.",
        en="Look at settings, database and workspace, and say what to mend.",
    ),
    "doctor.settings": Text(es="Los ajustes valen.", en="The settings are valid."),
    "doctor.unknown_setting": Text(es="{name} no es un ajuste; bórralo.", en="{name} is no setting; remove it."),
    "doctor.misspelt_setting": Text(
        es="{name} no es un ajuste. ¿Será {meant}?",
        en="{name} is no setting. Is {meant} meant?",
    ),
    "doctor.libpq_variables": Text(
        es="Lo que DATABASE_URL no dice lo completan estas variables; bórralas si son de otro servidor: {names}",
        en="What DATABASE_URL leaves open is filled in by these variables; unset those of another server: {names}",
    ),
    "doctor.server_stopped": Text(
        es="El PostgreSQL propio está parado; arranca cuando haga falta.",
        en="Our own PostgreSQL is stopped; it starts when it is needed.",
    ),
    "doctor.server": Text(
        es="PostgreSQL {version} responde en {address}.",
        en="PostgreSQL {version} answers at {address}.",
    ),
    "doctor.unreachable": Text(
        es="La base de datos no responde: {detail}",
        en="The database does not answer: {detail}",
    ),
    "doctor.standby": Text(
        es="Este servidor es una réplica y solo se deja leer. Pon en DATABASE_URL la dirección del principal.",
        en="This server is a standby and can only be read. Set DATABASE_URL to the address of the primary.",
    ),
    "doctor.read_only": Text(
        es="La base de datos solo se deja leer: nada se crea, se asigna ni se informa. Como superusuario: "
        "ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf();",
        en="The database is read-only: nothing is created, claimed or reported. As its superuser: "
        "ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf();",
    ),
    "doctor.schema_missing": Text(
        es="La base de datos está vacía: elruso db migrate.",
        en="The database is empty: elruso db migrate.",
    ),
    "doctor.schema_current": Text(es="El esquema está al día.", en="The schema is up to date."),
    "doctor.schema_behind": Text(
        es="El esquema está atrasado: elruso db migrate.",
        en="The schema is behind: elruso db migrate.",
    ),
    "doctor.holder": Text(
        es="{name} tiene una transacción abierta desde hace {minutes} min: nada de lo borrado se limpia y la cola se "
        "vuelve lenta. Para cerrarla: elruso db psql, y allí {remedy};",
        en="{name} has had a transaction open for {minutes} min: nothing that was deleted is cleaned up, and the queue "
        "gets slow. To end it: elruso db psql, and there {remedy};",
    ),
    "doctor.no_listener": Text(
        es="Solo se conoce el pooler: los runners preguntan cada poco en lugar de esperar avisos. "
        "Pon ELRUSO_LISTEN_URL.",
        en="Only the pooler is known: runners poll instead of being woken. Set ELRUSO_LISTEN_URL.",
    ),
    "doctor.no_git": Text(
        es="No hay git en el PATH; los runners lo necesitan para trabajar en un repositorio.",
        en="git is not on the PATH; runners need it to work in a repository.",
    ),
    "doctor.no_workspace": Text(
        es="ELRUSO_WORKSPACE={folder} no es una carpeta.",
        en="ELRUSO_WORKSPACE={folder} is no folder.",
    ),
    "doctor.old_git": Text(
        es="git es {version} y los runners necesitan {oldest} o más nuevo: actualízalo.",
        en="git is {version} and runners need {oldest} or newer: update it.",
    ),
    "doctor.workspace": Text(es="El espacio de trabajo {folder} sirve.", en="The workspace {folder} can be used."),
    "doctor.workspace_unset": Text(
        es="Sin ELRUSO_WORKSPACE ni --workspace cada tarea trabaja en una carpeta vacía. "
        "Para que trabajen en un repositorio git: elruso up --workspace CARPETA.",
        en="Without ELRUSO_WORKSPACE or --workspace each task works in an empty folder. "
        "To have them work in a git repository: elruso up --workspace FOLDER.",
    ),
    "doctor.workspace_plain": Text(
        es="{folder} no es un repositorio git y ningún runner tomaría tareas. Ejecuta allí: git init && git add -A && "
        "git commit -m inicio; o elige otro en ELRUSO_WORKSPACE.",
        en="{folder} is not a git repository, and no runner would take tasks. Run there: git init && git add -A && "
        "git commit -m start; or choose another in ELRUSO_WORKSPACE.",
    ),
    "doctor.workspace_empty": Text(
        es="El repositorio {folder} no tiene ningún commit y ningún runner tomaría tareas. Ejecuta allí: git add -A && "
        "git commit --allow-empty -m inicio.",
        en="The repository {folder} has no commit, and no runner would take tasks. Run there: git add -A && "
        "git commit --allow-empty -m start.",
    ),
    "doctor.workspace_foreign": Text(
        es="{folder} es de otro usuario y git no lo lee. Ejecuta el runner con ese usuario, o permítelo: "
        "git config --global --add safe.directory {folder}",
        en="{folder} belongs to another user, and git does not read it. Run the runner as that user, or allow it: "
        "git config --global --add safe.directory {folder}",
    ),
    "doctor.workspace_unreadable": Text(
        es="git no puede usar {folder}; corrígelo o elige otro en ELRUSO_WORKSPACE. Dice: {detail}",
        en="git cannot use {folder}; mend it or choose another in ELRUSO_WORKSPACE. It says: {detail}",
    ),
    "doctor.workspace_read_only": Text(
        es="No se puede escribir en {folder}, donde las tareas dejan sus ramas. Dale permiso a este usuario.",
        en="{folder}, where tasks leave their branches, cannot be written to. Give this user write permission.",
    ),
    "doctor.no_agent": Text(
        es="Sin ELRUSO_AGENT las tareas sin pasos fallan. Pon ahí la orden de un agente que lea el encargo de su "
        "entrada estándar, y reinicia los runners.",
        en="Without ELRUSO_AGENT tasks that have no steps fail. Set it to the command line of an agent that reads the "
        "prompt on its standard input, and restart the runners.",
    ),
    "doctor.runners": Text(es="Runners en línea: {number}.", en="Runners online: {number}."),
    "doctor.no_runner": Text(
        es="No hay ningún runner en línea. Para arrancar uno: elruso runner start.",
        en="No runner is online. To start one: elruso runner start.",
    ),
    "doctor.no_runner_for_work": Text(
        es="No hay ningún runner en línea y esperan tareas: {number}. Arranca uno: elruso runner start.",
        en="No runner is online, and tasks are waiting: {number}. Start one: elruso runner start.",
    ),
    "doctor.draining": Text(
        es="Todos los runners online se están vaciando y no toman nada. Para que uno siga: elruso runner resume ID.",
        en="All runners online are draining and take nothing. To let one go on: elruso runner resume ID.",
    ),
    "doctor.unfit": Text(
        es="El runner {id} no puede trabajar: {detail}. Seguirá por sí mismo cuando esté arreglado.",
        en="Runner {id} cannot work: {detail}. It resumes by itself once that is fixed.",
    ),
    "doctor.blocked": Text(
        es="Tareas bloqueadas: {number}. Mira sus razones con elruso task list --status blocked; cuando estén "
        "resueltas: elruso task requeue ID.",
        en="Blocked tasks: {number}. See their reasons with elruso task list --status blocked; once these are mended: "
        "elruso task requeue ID.",
    ),
    "doctor.server_died": Text(
        es="El PostgreSQL propio ({folder}) terminó mientras se usaba. «up», «serve» y los runners lo arrancan otra "
        "vez en segundos; si no vuelve, lo que escriben dice por qué, y elruso db migrate lo intenta a mano.",
        en="Our own PostgreSQL ({folder}) has ended while it was used. `up`, `serve` and runners start it again within "
        "seconds; if it does not come back, their output says why, and elruso db migrate tries it by hand.",
    ),
    "doctor.vault": Text(
        es="El vault se abre; guarda {number} {number:valor|valores}.",
        en="The vault opens; it holds {number} {number:value|values}.",
    ),
    "doctor.vault_missing": Text(
        es="Sin valor en el vault: {names}. Si hacen falta: elruso vault set NOMBRE.",
        en="Without a value in the vault: {names}. If they are needed: elruso vault set NAME.",
    ),
    "doctor.steps_held": Text(
        es="Los procesos de un paso terminan con él y con su runner; sin token, la API rechaza sus peticiones.",
        en="Processes of a step end with the step and its runner; without a token the API refuses their requests.",
    ),
    "doctor.steps_as_root": Text(
        es="Los procesos de un paso terminan con él y con su runner; sin token, la API rechaza sus peticiones. Pero el "
        "runner se ejecuta como root, y sus pasos también: pueden leer la memoria de cualquier proceso y todos los "
        "archivos. Ejecútalo con un usuario sin privilegios.",
        en="Processes of a step end with the step and its runner; without a token the API refuses their requests. But "
        "the runner is root, and so are its steps: they can read any process's memory and every file. Run it as an "
        "unprivileged user.",
    ),
    "doctor.steps_in_groups": Text(
        es="En este sistema solo el grupo de procesos de un paso termina con él, y sin tokens un paso puede hacer "
        "lo mismo que el operador: crea uno con elruso token create NOMBRE --role admin.",
        en="On this system only a step's process group ends with it, and without tokens a step may do what the "
        "operator may: create one with elruso token create NAME --role admin.",
    ),
    "doctor.well": Text(es="Todo en orden.", en="All is well."),
}
