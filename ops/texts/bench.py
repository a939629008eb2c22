"""`elruso bench`."""

from ops.texts.text import Text

TEXTS = {
    "help.bench": Text(
        es="Mide rendimiento y coste junto a lo mínimo que PostgreSQL necesitaría, por turnos: uno por su nombre, "
        "o todos en pequeño. Sin dirección usa un servidor propio aparte, con los ajustes de producción.",
        en="Measure speed and cost beside the least PostgreSQL would need, by turns: one by its name, or all of them "
        "in small. Without an address it uses a server of its own, with production's settings.",
    ),
    "help.bench.json": Text(es="Un documento JSON en lugar de tablas.", en="One JSON document instead of tables."),
    "help.bench.runs": Text(es="Cuántas veces se mide cada lado.", en="How often each side is measured."),
    "help.bench.tasks": Text(
        es="Cuántas tareas en lifecycle, cost, api y pages.",
        en="How many tasks in lifecycle, cost, api and pages.",
    ),
    "help.bench.full": Text(
        es="Con los tamaños de docs/benchmarks.md, como cuando se nombra uno.",
        en="With the sizes of docs/benchmarks.md, as when one is named.",
    ),
    "help.bench.histories": Text(es="Cuántas historias en soak.", en="How many histories in soak."),
    "help.bench.seed": Text(
        es="La primera semilla de soak; cada 250 historias tienen una, y siempre son las mismas.",
        en="The first seed of soak; each 250 histories have one, and it always makes the same ones.",
    ),
    "help.bench.database": Text(
        es="Otro servidor PostgreSQL, en el que se puedan crear bases de datos; por defecto DATABASE_URL.",
        en="Another PostgreSQL server, where databases may be created; by default DATABASE_URL.",
    ),
    "help.bench.keep": Text(
        es="Deja en el servidor dado el gran historial de pages, para usarlo otra vez.",
        en="Leave the large history of pages on the given server, to be used again.",
    ),
    "bench.keep_given": Text(
        es="--keep deja algo en un servidor dado: di cuál con --database.",
        en="--keep leaves something on a given server: say which with --database.",
    ),
    "bench.no_checkout": Text(
        es="Las mediciones están en tests/bench, y aquí no hay repositorio: clónalo y usa ./elruso bench.",
        en="The benchmarks are in tests/bench, and this is no checkout: clone the repository and use ./elruso bench.",
    ),
    "bench.unknown": Text(
        es="No hay medición «{name}»; las hay: {known}.",
        en="There is no benchmark `{name}`; there are: {known}.",
    ),
    "bench.own_only": Text(
        es="La medición «{name}» solo se hace con un servidor propio: sin --database ni DATABASE_URL.",
        en="The benchmark `{name}` needs a server of our own: leave out --database and DATABASE_URL.",
    ),
    "bench.no_hypothesis": Text(
        es="soak necesita Hypothesis, que se instala con lo que piden las pruebas: ./elruso test --co",
        en="soak needs Hypothesis, which is installed with what the tests require: ./elruso test --co",
    ),
    "bench.no_wrk": Text(
        es="La medición «{name}» necesita el generador de carga wrk, que aquí no está: «apt-get install wrk» en "
        "Debian y Ubuntu, «brew install wrk» en macOS.",
        en="The benchmark `{name}` needs the load generator wrk, which is not here: `apt-get install wrk` on Debian "
        "and Ubuntu, `brew install wrk` on macOS.",
    ),
    "bench.left_out": Text(
        es="Sin medir, porque falta wrk («apt-get install wrk»): {names}.",
        en="Not measured, for want of wrk (`apt-get install wrk`): {names}.",
    ),
    "bench.failed": Text(
        es="Alguna comprobación no se cumple; las marcadas con ✗.",
        en="Some checks do not hold; those marked ✗.",
    ),
}
