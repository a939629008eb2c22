"""`elruso audit`, `elruso tail` and `elruso db rebuild`."""

from ops.texts.text import Text

TEXTS = {
    "help.json": Text(es="Salida en JSON.", en="Print JSON."),
    "help.audit": Text(
        es="Compara el registro con las vistas, fila por fila. Estado 0 solo si son idénticos.",
        en="Compare the log with the views, row by row. Exit status 0 only when they are identical.",
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
    "help.tail": Text(es="Muestra el registro a medida que crece.", en="Show the log as it grows."),
    "help.tail.after": Text(
        es="Empieza después de este seq; 0 es el principio.", en="Begin after this seq; 0 is the beginning."
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
