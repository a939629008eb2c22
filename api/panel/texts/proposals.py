"""Why a proposed directive was refused, as the rules word it (events/guardrails.py, settling.py), and in Spanish.

As texts/refused.py: each `en` is one by which the reason is known again.
"""

from api.text import Text

TEXTS = {
    "proposal.secret": Text(
        es="contiene un secreto, o algo con la forma de uno; nombra la variable, como $OPENAI_API_KEY",
        en="it contains a secret, or something with the shape of one; name the variable instead, like $OPENAI_API_KEY",
    ),
    "proposal.shell": Text(
        es="{task}: una tarea shell necesita pasos: [{{name, cmd}}]",
        en="{task}: a shell task needs steps: [{{name, cmd}}]",
    ),
    "proposal.python": Text(
        es="{task}: una tarea python necesita params.handler", en="{task}: a python task needs params.handler"
    ),
    "proposal.outside": Text(
        es="{field}: {path} tiene que ser una ruta dentro del espacio de trabajo, sin / al principio y sin ..",
        en="{field}: {path} must be a path inside the workspace, without a leading / and without ..",
    ),
    "proposal.same_id": Text(es="dos de sus tareas tienen el mismo id", en="two of its tasks have the same id"),
    "proposal.itself": Text(es="la tarea {title} depende de sí misma", en="task {title} depends on itself"),
    "proposal.several": Text(
        es="{task} depende de {word}, y hay varias con ese título; usa posiciones",
        en="{task} depends on {word}, and there are several of that title; use positions",
    ),
    "proposal.position": Text(
        es="{task} depende de la posición {position}; las posiciones van de 1 a {most}",
        en="{task} depends on position {position}; positions go from 1 to {most}",
    ),
    "proposal.pending": Text(
        es="es igual que la directiva pendiente {id}", en="the same as the pending directive {id}"
    ),
    "proposal.unknown": Text(
        es="depende de {names}: ninguna tarea de la directiva ni ninguna conocida se llama así",
        en="depends on {names}: no task of the directive and no known task is called so",
    ),
    "proposal.too_many": Text(
        es="de una respuesta se toman como mucho {most} directivas",
        en="at most {most} directives are taken from one answer",
    ),
    "proposal.unusable": Text(
        es="la respuesta del modelo no sirve, tampoco corregida: {rest}",
        en="the model's answer cannot be used, mended neither: {rest}",
    ),
    "proposal.not_json": Text(es="la respuesta no es JSON: {why}", en="the answer is not JSON: {why}"),
}
