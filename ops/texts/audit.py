"""`elruso audit`, `elruso tail` and `elruso db rebuild`."""

from ops.texts.text import Text

TEXTS = {
    "help.json": Text(es="Salida en JSON.", en="Print JSON."),
    "help.audit": Text(
        es="Compara el registro con las vistas, fila por fila, y unos flujos con otros. Estado 0 si concuerdan.",
        en="Compare the log with the views, row by row, and streams with one another. Exit status 0 if they agree.",
    ),
    "audit.reading": Text(es="Leyendo el registro", en="Reading the log"),
    "audit.difference": Text(
        es="  ✗ {where}: el registro dice {log!r}, la vista {view!r}",
        en="  ✗ {where}: the log says {log!r}, the view {view!r}",
    ),
    "audit.identical": Text(
        es="Idéntico: {events:,} {events:evento plegado|eventos plegados}, {rows:,} "
        "{rows:fila comparada|filas comparadas} ({seconds:.1f} s).",
        en="Identical: {events:,} {events:event|events} folded, {rows:,} {rows:row|rows} compared ({seconds:.1f} s).",
    ),
    "audit.differs": Text(
        es="DIFIERE: {differing:,} {differing:diferencia|diferencias} en {rows:,} {rows:fila|filas} ({events:,} "
        "{events:evento|eventos}, {seconds:.1f} s). "
        "`elruso db rebuild` rehace las vistas a partir del registro.",
        en="DIFFERS: {differing:,} {differing:difference|differences} in {rows:,} {rows:row|rows} ({events:,} "
        "{events:event|events}, {seconds:.1f} s). "
        "`elruso db rebuild` makes the views anew from the log.",
    ),
    "audit.violated": Text(
        es="{violating:,} {violating:contradicción|contradicciones} entre flujos: cada evento es legal, pero juntos no "
        "deberían haber ocurrido. Infórmalo, por favor.",
        en="{violating:,} {violating:contradiction|contradictions} between streams: each event is legal, but together "
        "they should not have happened. Please report this.",
    ),
    "audit.ready_behind_fallen": Text(
        es="  ✗ La tarea {id} está lista, pero no puede empezar: su tarea previa {other} falló, está bloqueada o se "
        "canceló. Reencola {other}, o cancela {id}: elruso task requeue {other}",
        en="  ✗ Task {id} is ready but cannot start: its parent {other} failed, is blocked or was cancelled. "
        "Requeue {other}, or cancel {id}: elruso task requeue {other}",
    ),
    "audit.blocked_without_cause": Text(
        es="  ✗ La tarea {id} está bloqueada por {other}, que ya no la bloquea. Reencólala: elruso task requeue {id}",
        en="  ✗ Task {id} is blocked because of {other}, which no longer blocks it. "
        "Requeue it: elruso task requeue {id}",
    ),
    "audit.ran_before_parent": Text(
        es="  ✗ La tarea {id} se ejecuta antes de que termine su tarea previa {other}. Cancélala: "
        "elruso task cancel {id}",
        en="  ✗ Task {id} runs before its parent {other} is done. Cancel it: elruso task cancel {id}",
    ),
    "audit.alive_though_rejected": Text(
        es="  ✗ La tarea {id} sigue viva aunque se rechazó su directiva {other}. Cancélala: elruso task cancel {id}",
        en="  ✗ Task {id} is alive although its directive {other} was rejected. Cancel it: elruso task cancel {id}",
    ),
    "audit.waiting_though_provided": Text(
        es="  ✗ La directiva {id} no espera nada, pero su tarea {other} no se creó. "
        "Aplícala: elruso directive apply {id}",
        en="  ✗ Directive {id} waits for nothing, but its task {other} was not created. "
        "Apply it: elruso directive apply {id}",
    ),
    "audit.pending_though_done": Text(
        es="  ✗ La directiva {id} está pendiente aunque todas sus tareas terminaron. Aplícala: "
        "elruso directive apply {id}",
        en="  ✗ Directive {id} is pending although all its tasks are done. Apply it: elruso directive apply {id}",
    ),
    "help.tail": Text(es="Muestra el registro a medida que crece.", en="Show the log as it grows."),
    "help.tail.after": Text(
        es="Empieza después de este seq; 0 es el principio.", en="Begin after this seq; 0 is the beginning."
    ),
    "tail.beyond": Text(
        es="El registro termina en {last}, antes de {after}: no es el mismo registro, o se restauró una copia. "
        "Empieza de nuevo: elruso tail --after 0",
        en="The log ends at {last}, before {after}: it is another log, or a backup was restored. "
        "Begin again: elruso tail --after 0",
    ),
    "help.tail.kind": Text(
        es="Solo flujos de este tipo: task, runner, system.", en="Only streams of this kind: task, runner, system."
    ),
    "help.tail.id": Text(es="Solo el flujo con este id.", en="Only the stream with this id."),
    "help.tail.no_follow": Text(es="Termina al llegar al final.", en="End when the end is reached."),
    "help.db.rebuild": Text(
        es="Rehace las vistas a partir del registro, mientras todo sigue trabajando.",
        en="Make the views anew from the log, while everything goes on working.",
    ),
    "db.rebuilding": Text(es="Plegando el registro", en="Folding the log"),
    "db.rebuild_done": Text(
        es="{events:,} {events:evento plegado|eventos plegados} en {seconds:.1f} s ({rate:,.0f} por segundo); se "
        "esperó {held:.3f} s.",
        en="{events:,} {events:event|events} folded in {seconds:.1f} s ({rate:,.0f} a second); writers waited "
        "{held:.3f} s.",
    ),
}
