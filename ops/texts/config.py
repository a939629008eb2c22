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
    "config.lease_too_short": Text(
        es="ELRUSO_LEASE_SECONDS={lease:g} debe ser al menos el doble de ELRUSO_HEARTBEAT_SECONDS={heartbeat:g}: "
        "con un solo latido perdido el runner perdería sus tareas.",
        en="ELRUSO_LEASE_SECONDS={lease:g} must be at least twice ELRUSO_HEARTBEAT_SECONDS={heartbeat:g}: "
        "otherwise one lost heartbeat would cost a runner its tasks.",
    ),
}
