"""REQUESTS.json."""

from ops.texts.text import Text

TEXTS = {
    "definitions.unreadable": Text(es="No se puede leer {file}: {detail}.", en="{file} cannot be read: {detail}."),
    "definitions.malformed": Text(
        es="{file} no es una lista JSON de solicitudes ({detail}). Se espera "
        '[{{"id": "REQ-009", "service": "OpenAI", "scopes": ["OPENAI_API_KEY"]}}, …].',
        en="{file} is no JSON array of requests ({detail}). Expected is "
        '[{{"id": "REQ-009", "service": "OpenAI", "scopes": ["OPENAI_API_KEY"]}}, …].',
    ),
    "definitions.invalid": Text(
        es="{file}, solicitud {request}: {detail}. Campos: id, service, type, scopes (nombres de variables), purpose, "
        "where_to_set, validation_cmd, status.",
        en="{file}, request {request}: {detail}. Fields: id, service, type, scopes (names of variables), purpose, "
        "where_to_set, validation_cmd, status.",
    ),
    "definitions.twice": Text(
        es="{file} define {request} más de una vez; deja una sola.",
        en="{file} defines {request} more than once; keep one of them.",
    ),
}
