"""Why something was refused, as the engine (and the library that reads forms) words it, and in Spanish.

As texts/engine.py, whose wordings are known here, too: each `en` is one by which it is known again. The API's answers
stay in English.
"""

from api.text import Text

READ = {  # msgspec's
    "refused.at": Text(es="{field}: {rest}", en="{rest} - at `$.{field}`"),
    "refused.enum": Text(es="{value} no es uno de los valores posibles", en="Invalid enum value {value}"),
    "refused.unknown": Text(es="no hay ningún campo {field}", en="Object contains unknown field {field}"),
    "refused.missing": Text(es="falta el campo {field}", en="Object missing required field {field}"),
    "refused.longer": Text(es="no puede tener más de {most} caracteres", en="Expected `str` of length <= {most}"),
    "refused.shorter": Text(es="tiene que tener al menos {most} caracteres", en="Expected `str` of length >= {most}"),
    "refused.many": Text(es="no pueden ser más de {most}", en="Expected `array` of length <= {most}"),
    "refused.pattern": Text(
        es="contiene caracteres que no pueden estar ahí ({pattern})", en="Expected `str` matching regex {pattern}"
    ),
    "refused.above": Text(es="no puede ser mayor que {most}", en="Expected `int` <= {most}"),
    "refused.below": Text(es="no puede ser menor que {most}", en="Expected `int` >= {most}"),
    "refused.type": Text(es="se esperaba {wanted}, no {given}", en="Expected {wanted}, got {given}"),
}
TEXTS = READ | {
    "refused.commands": Text(
        es="dale a la tarea comandos, o un encargo para un agente: un runner tiene que tener algo que ejecutar",
        en="give a task commands, or a prompt for an agent: a runner must have something to execute",
    ),
    "refused.nul": Text(es="un campo contiene un carácter NUL", en="a field contains a NUL character"),
    "refused.form": Text(
        es="esto no es un formulario, o tiene demasiados campos", en="this is not a form, or has too many fields"
    ),
    "refused.no_page": Text(es="no hay ninguna página {path}", en="there is no page {path}"),
    "refused.no_patch": Text(es="la ejecución {number} no tiene parche", en="run {number} has no patch"),
    "refused.no_parent": Text(
        es="la tarea {id} depende de {parent}, que no existe o viene después",
        en="task {id} depends on {parent}, which does not come before it",
    ),
    "refused.cycle": Text(
        es="las tareas se esperan unas a otras y ninguna podría empezar: {path}",
        en="the tasks wait for each other and none could ever start: {path}",
    ),
    "refused.taken": Text(
        es="el id {id} ya es de una tarea con otro contenido; elige otro",
        en="the id {id} is taken by a task of other content; choose another",
    ),
    "refused.id": Text(es="el id {id} {rest}; elige otro", en="the id {id} {rest}; choose another id"),
    "refused.id_length": Text(es="no tiene de 1 a {most} caracteres", en="does not have 1 to {most} characters"),
    "refused.id_control": Text(es="contiene un carácter de control", en="contains a control character"),
    "refused.id_slash": Text(
        es="contiene una barra, que separa las partes de una dirección",
        en="contains a slash, which separates the parts of an address",
    ),
    "refused.id_word": Text(es="es una palabra de las direcciones", en="is a word of addresses"),
    "refused.id_encoded": Text(es="contiene un carácter codificado con %", en="contains a percent-encoded character"),
    "refused.has_token": Text(
        es="{name} ya tiene un token; revócalo antes, o elige otro nombre",
        en="{name} has a token already; revoke it first, or choose another name",
    ),
    "refused.no_result": Text(es="la ejecución {number} no tiene resultado", en="run {number} has no result"),
    "refused.no_request": Text(
        es="no hay ninguna credencial {id}", en="there is no request {id}; GET /ops/requests lists them"
    ),
    "refused.request_is": Text(
        es="la credencial {id} está {status}: {event} no es posible",
        en="{event} is not possible: request {id} is {status}",
    ),
    "refused.was_applied": Text(
        es="la directiva {id} ya se aplicó; cancela las tareas que no quieras",
        en="directive {id} was applied; cancel what is not wanted with POST /ops/tasks/ID/cancel",
    ),
    "refused.needed": Text(
        es="la tarea {id} depende de {ids}; descártala también", en="task {id} depends on {ids}; leave it out as well"
    ),
    "refused.inside_run": Text(
        es="desde dentro de una ejecución esto necesita un token: `elruso token create`, y luego "
        "`elruso vault set ELRUSO_TOKEN --grant`",
        en="from inside a run this needs a token: `elruso token create`, then `elruso vault set ELRUSO_TOKEN --grant`",
    ),
    "refused.database_away": Text(
        es="no se llega a la base de datos ({reason}); revisa DATABASE_URL y que el servidor funcione",
        en="the database cannot be reached ({reason}); check DATABASE_URL and that the server runs",
    ),
    "refused.database_cannot": Text(
        es="la base de datos no puede hacer esto ahora ({state}: {message}); envíalo otra vez",
        en="the database cannot do this now ({state}: {message}); send it again",
    ),
    "refused.database_silent": Text(
        es="la base de datos no respondió a tiempo; envíalo otra vez",
        en="the database did not answer in time; send it again",
    ),
    "refused.locked": Text(
        es="otra sesión retiene un bloqueo que esto espera: {holders}. Termina esa transacción, o envíalo más tarde",
        en="another session holds a lock that this waits for: {holders}. End its transaction, or send it later",
    ),
    "refused.cursor": Text(
        es="esa página de la lista no existe; vuelve a la primera",
        en="cursor: this is not what `meta.next` of the same list said; leave it out to begin anew",
    ),
}
