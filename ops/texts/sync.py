"""`elruso sync`, and the memory files."""

from ops.texts.text import Text

TEXTS = {
    "help.sync": Text(
        es="TASKS.json y REQUESTS.json hacia el registro, y de vuelta.",
        en="TASKS.json and REQUESTS.json into the log, and back.",
    ),
    "help.sync.push": Text(
        es="Lleva los archivos al registro: muestra qué difiere, y solo eso se escribe.",
        en="Bring the files into the log: show what differs, and write only that.",
    ),
    "help.sync.pull": Text(
        es="Escribe en los archivos lo que dice el registro; su orden y lo demás se conservan.",
        en="Write into the files what the log says; their order and all else stays.",
    ),
    "help.sync.dry_run": Text(es="Solo muestra qué haría.", en="Only show what it would do."),
    "help.sync.open": Text(
        es="De las tareas que faltan en el archivo, solo las que no han terminado, y sus dependencias.",
        en="Of the tasks that the file lacks, only those that are not over, and their parents.",
    ),
    "help.sync.folder": Text(
        es="Carpeta con los archivos; por defecto ops/ en el espacio de trabajo.",
        en="Folder with the files; by default ops/ in the workspace.",
    ),
    "memory.no_place": Text(
        es="No hay dónde escribir {name}. Indica el espacio de trabajo en ELRUSO_WORKSPACE, o --folder.",
        en="There is no place to write {name}. Name the workspace in ELRUSO_WORKSPACE, or use --folder.",
    ),
    "sync.file": Text(es="{file}", en="{file}"),
    "sync.unreadable": Text(es="No se puede leer {file}: {detail}", en="{file} cannot be read: {detail}"),
    "sync.unwritable": Text(es="No se puede escribir {file}: {detail}", en="{file} cannot be written: {detail}"),
    "sync.not_json": Text(es="{file} no es JSON: {detail}", en="{file} is not JSON: {detail}"),
    "sync.no_list": Text(
        es="{file} debe contener una lista de objetos, sola o bajo «{name}».",
        en="{file} must hold a list of objects, bare or under `{name}`.",
    ),
    "sync.bad_entry": Text(
        es="{file}: la entrada {place} ({id}) no sirve: {detail}. No se escribió nada.",
        en="{file}: entry {place} ({id}) will not do: {detail}. Nothing was written.",
    ),
    "sync.twice": Text(
        es="{file}: el id {id} aparece dos veces; cada entrada necesita el suyo. No se escribió nada.",
        en="{file}: the id {id} stands twice; each entry needs its own. Nothing was written.",
    ),
    "sync.secret": Text(
        es="{file}, {id}: contiene un secreto del vault ({detail}). No se escribió nada.",
        en="{file}, {id}: it holds a secret of the vault ({detail}). Nothing was written.",
    ),
    "sync.far_away": Text(
        es="sync habla con la base de datos, y DATABASE_URL no está puesta, pero la API es {api}. Pon DATABASE_URL, "
        "o hazlo allí: curl -X POST {api}/ops/actions/sync-push",
        en="sync speaks to the database, and DATABASE_URL is unset, but the API is {api}. Set DATABASE_URL, "
        "or do it there: curl -X POST {api}/ops/actions/sync-push",
    ),
    "sync.too_many": Text(
        es="Hay más de {most} tareas que no están en el archivo; trae solo las pendientes con --open.",
        en="There are more than {most} tasks that the file lacks; fetch only the open ones with --open.",
    ),
    "sync.new": Text(es="+ {id}  {status}  {title}", en="+ {id}  {status}  {title}"),
    "sync.moved": Text(es="~ {id}  {source} → {target}", en="~ {id}  {source} → {target}"),
    "sync.runs_elsewhere": Text(
        es="  {id} está «running» en el archivo, pero aquí nadie la ejecuta: empieza como «ready».",
        en="  {id} is `running` in the file, but nobody runs it here: it begins as `ready`.",
    ),
    "sync.left_out_parent": Text(
        es="  {id} está «{status}» aunque {parent} no ha terminado: se crea sin esa dependencia.",
        en="  {id} is `{status}` although {parent} is not done: it is created without that dependency.",
    ),
    "sync.misspelt_field": Text(
        es="  {id}: «{field}» no es un campo de una tarea y no cuenta. ¿Será «{meant}»?",
        en="  {id}: `{field}` is no field of a task and does not count. Is `{meant}` meant?",
    ),
    "sync.unknown_field": Text(
        es="  {id}: «{field}» no es un campo de una tarea y no cuenta.",
        en="  {id}: `{field}` is no field of a task and does not count.",
    ),
    "sync.definition_stays": Text(
        es="! {id}.{field} difiere y no cambia (registro: {log}; archivo: {file}): lo que se pidió no se reescribe. "
        "Cancela {id} y da otro id a la tarea nueva, o recupera el archivo con sync pull.",
        en="! {id}.{field} differs and stays (log: {log}; file: {file}): what was asked for is never rewritten. "
        "Cancel {id} and give the new task another id, or restore the file with sync pull.",
    ),
    "sync.not_from_there": Text(
        es="! {id} sigue «{source}»: de ahí no se pasa a «{target}».",
        en="! {id} stays `{source}`: from there it cannot be `{target}`.",
    ),
    "sync.not_while_running": Text(
        es="! {id} no pasa a «{target}»: un runner la está ejecutando. Espera, o: elruso task cancel {id}",
        en="! {id} does not become `{target}`: a runner is executing it. Wait, or: elruso task cancel {id}",
    ),
    "sync.not_before_parents": Text(
        es="! {id} sigue «{source}» y no pasa a «{target}»: depende de {parents}, sin terminar.",
        en="! {id} stays `{source}` and does not become `{target}`: it depends on {parents}, not done yet.",
    ),
    "sync.pushed": Text(
        es="Tareas: {new} nuevas, {moved} con otro estado, {kept} diferencias sin aplicar, {same} iguales.",
        en="Tasks: {new} new, {moved} with another status, {kept} differences not applied, {same} unchanged.",
    ),
    "sync.new_request": Text(es="+ {id}  {status}  {service}", en="+ {id}  {status}  {service}"),
    "sync.added_request": Text(es="+ {id}  {status}  {service}", en="+ {id}  {status}  {service}"),
    "sync.no_definition": Text(
        es="! {id} queda fuera: le falta el servicio, o el archivo no admite su id.",
        en="! {id} is left out: it has no service, or an id that the file does not accept.",
    ),
    "sync.changed_request": Text(
        es="~ {id}  {source} → {status}  ({fields})", en="~ {id}  {source} → {status}  ({fields})"
    ),
    "sync.values_stay_behind": Text(
        es="  {id} es «PROVIDED» en el archivo, pero los valores no viajan con él. Faltan: {names} (elruso vault set).",
        en="  {id} is `PROVIDED` in the file, but values do not travel with it. Missing: {names} (elruso vault set).",
    ),
    "sync.tool_request": Text(
        es="  {id} pide una herramienta ({service}), no un valor: instálala en las máquinas de los runners. "
        "Su estado es el que dice el archivo.",
        en="  {id} asks for a tool ({service}), not for a value: install it on the runners' machines. "
        "Its status is the one in the file.",
    ),
    "sync.pushed_requests": Text(
        es="Solicitudes: {new} {new:nueva|nuevas}, {changed} {changed:cambiada|cambiadas}, {same} "
        "{same:igual|iguales}.",
        en="Requests: {new} new, {changed} changed, {same} unchanged.",
    ),
    "sync.pulled_requests": Text(
        es="Solicitudes: {added} {added:añadida|añadidas}, {changed} {changed:cambiada|cambiadas}, {same} "
        "{same:igual|iguales}.",
        en="Requests: {added} added, {changed} changed, {same} unchanged.",
    ),
    "sync.behind": Text(
        es="  {count} {count:ha|han} avanzado en el registro desde que se escribió el archivo; sync pull lo pone "
        "al día.",
        en="  {count} went on in the log since the file was written; sync pull brings it up to date.",
    ),
    "sync.elsewhere": Text(
        es="  {count} más {count:está|están} solo en el registro; sync pull {count:la|las} trae.",
        en="  {count} more {count:is|are} in the log only; sync pull fetches {count:it|them}.",
    ),
    "sync.dry_run": Text(es="Ensayo: no se escribió nada.", en="A rehearsal: nothing was written."),
    "sync.rewritten": Text(es="~ {id}.{field}: {before} → {after}", en="~ {id}.{field}: {before} → {after}"),
    "sync.added": Text(es="+ {id}  {status}  {title}", en="+ {id}  {status}  {title}"),
    "sync.pulled": Text(
        es="Tareas: {added} {added:añadida|añadidas}, {changed} {changed:cambiada|cambiadas}, {same} "
        "{same:igual|iguales}.",
        en="Tasks: {added} added, {changed} changed, {same} unchanged.",
    ),
    "sync.written": Text(es="Escrito: {file}", en="Written: {file}"),
    "sync.current": Text(es="{file} ya está al día.", en="{file} is up to date."),
}
