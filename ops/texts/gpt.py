"""`elruso gpt`."""

from ops.texts.text import Text

TEXTS = {
    "help.gpt": Text(
        es="El planificador: pide directivas al modelo.", en="The planner: asks the model for directives."
    ),
    "help.gpt.run": Text(
        es="Ejecuta el planificador y muestra qué creó.", en="Let the planner run and show what it created."
    ),
    "help.gpt.compose": Text(
        es="Muestra el prompt, sin preguntar nada al modelo.", en="Print the prompt, without asking the model anything."
    ),
    "help.gpt.environment": Text(es="El entorno del que se habla al modelo.", en="The environment the model is told."),
    "gpt.stage.context": Text(es="leyendo el contexto", en="reading the context"),
    "gpt.stage.asking": Text(es="esperando al modelo", en="waiting for the model"),
    "gpt.stage.mending": Text(es="el modelo corrige su respuesta", en="the model mends its answer"),
    "gpt.stage.storing": Text(es="guardando", en="storing"),
    "gpt.refused": Text(es="Rechazada: {title}: {reason}", en="Refused: {title}: {reason}"),
    "gpt.done": Text(
        es="{directives} {directives:directiva|directivas}, {tasks} {tasks:tarea|tareas} · {model}, {tokens} "
        "tokens, ${cost:.4f}, {seconds:.1f} s",
        en="{directives} {directives:directive|directives}, {tasks} {tasks:task|tasks} · {model}, {tokens} "
        "tokens, ${cost:.4f}, {seconds:.1f} s",
    ),
}
