"""Settings."""

from ops.texts.text import Text

TEXTS = {
    "config.invalid": Text(
        es="{name}={value!r} no vale: se permite {allowed}.",
        en="{name}={value!r} will not do: allowed is {allowed}.",
    ),
    "config.bad_price": Text(
        es="ELRUSO_PLANNER_PRICES: {entry!r} no vale; cada entrada es modelo=entrada/salida, en dólares por millón "
        "de tokens, como gpt-4.1=2/8.",
        en="ELRUSO_PLANNER_PRICES: {entry!r} will not do; each entry is model=in/out, in dollars a million tokens, "
        "like gpt-4.1=2/8.",
    ),
    "config.bad_origin": Text(
        es="ELRUSO_ALLOWED_ORIGINS: {entry!r} no es un origen; un origen es esquema, host y quizá puerto, en "
        "minúsculas y sin ruta, como https://ops.example:8443.",
        en="ELRUSO_ALLOWED_ORIGINS: {entry!r} is not an origin; an origin is scheme, host and perhaps port, in "
        "lower case and without a path, like https://ops.example:8443.",
    ),
    "config.lease_too_short": Text(
        es="ELRUSO_LEASE_SECONDS={lease:g} debe ser al menos el doble de ELRUSO_HEARTBEAT_SECONDS={heartbeat:g}: "
        "con un solo latido perdido el runner perdería sus tareas.",
        en="ELRUSO_LEASE_SECONDS={lease:g} must be at least twice ELRUSO_HEARTBEAT_SECONDS={heartbeat:g}: "
        "otherwise one lost heartbeat would cost a runner its tasks.",
    ),
}
