"""`elruso token`."""

from ops.texts.text import Text

TEXTS = {
    "help.token": Text(es="Quién puede hablar con la API, y como qué.", en="Who may speak to the API, and as what."),
    "help.token.create": Text(
        es="Crea un token y lo muestra, esta única vez.", en="Make a token and print it, this once."
    ),
    "help.token.role": Text(
        es="viewer ve, operator actúa, runner ejecuta, admin administra también credenciales.",
        en="viewer sees, operator acts, runner executes, admin manages credentials too.",
    ),
    "help.token.expires": Text(
        es="Duración: 45m, 12h, 30d. Sin esta opción, hasta que se revoque.",
        en="How long it is valid: 45m, 12h, 30d. Without this option, until it is revoked.",
    ),
    "help.token.revoke": Text(es="Anula un token.", en="Make a token void."),
    "help.token.list": Text(es="Los tokens, nunca su texto.", en="The tokens, never their text."),
    "token.created": Text(
        es="Token de {name} ({role}) creado. Guárdalo ahora: no se puede volver a ver.",
        en="Token of {name} ({role}) made. Keep it now: it cannot be seen again.",
    ),
    "token.first": Text(
        es="Es el primero: desde ahora la API y el panel piden un token.\n"
        "  task, directive, gpt: export ELRUSO_TOKEN=elr_…\n"
        "  curl: -H 'Authorization: Bearer elr_…'\n"
        "  panel: pégalo al entrar\n"
        "No lo necesitan los runners con base de datos, ni db, audit, tail, token, vault y doctor.",
        en="It is the first: from now on the API and the panel ask for a token.\n"
        "  task, directive, gpt: export ELRUSO_TOKEN=elr_…\n"
        "  curl: -H 'Authorization: Bearer elr_…'\n"
        "  panel: paste it when you sign in\n"
        "Runners with a database need none, nor do db, audit, tail, token, vault and doctor.",
    ),
    "token.none": Text(
        es="Ningún token: la API está abierta, pero solo en esta máquina. "
        "El primero: elruso token create NOMBRE --role admin",
        en="No tokens: the API is open, but on this machine only. The first one: elruso token create NAME --role admin",
    ),
    "token.revoked": Text(es="El token de {name} ya no vale.", en="The token of {name} is void."),
    "token.valid": Text(es="válido", en="valid"),
    "token.lifetime": Text(
        es="{value} no es una duración válida; escribe, por ejemplo, 45m, 12h o 30d.",
        en="{value} is not a valid duration; write, for example, 45m, 12h or 30d.",
    ),
    "token.valid_until": Text(es="válido hasta {at:%Y-%m-%d %H:%M}", en="valid until {at:%Y-%m-%d %H:%M}"),
    "token.expired": Text(es="venció {at:%Y-%m-%d %H:%M}", en="expired {at:%Y-%m-%d %H:%M}"),
    "token.void": Text(es="anulado {at:%Y-%m-%d %H:%M}", en="revoked {at:%Y-%m-%d %H:%M}"),
}
