"""The vault, and `elruso vault`."""

from ops.texts.text import Text

TEXTS = {
    "help.vault": Text(
        es="Credenciales de esta máquina: guardar, ver sus nombres, conceder, borrar.",
        en="Credentials of this machine: store, see their names, grant, remove.",
    ),
    "help.vault.set": Text(
        es="Guarda un valor; lo pregunta sin mostrarlo, o lo lee de la entrada.",
        en="Store a value; it is asked for without showing it, or read from the input.",
    ),
    "help.vault.set.grant": Text(es="Las tareas que lo nombren lo reciben.", en="Tasks that name it get it."),
    "help.vault.set.file": Text(es="Lee el valor de un archivo.", en="Read the value from a file."),
    "help.vault.list": Text(es="Los nombres guardados, nunca los valores.", en="The names stored, never the values."),
    "help.vault.rm": Text(es="Borra valores.", en="Remove values."),
    "help.vault.grant": Text(
        es="Deja que las tareas reciban estos valores si los nombran en params.secrets.",
        en="Let tasks have these values if they name them in params.secrets.",
    ),
    "help.vault.revoke": Text(es="Ya no deja que las tareas los reciban.", en="Let tasks not have them any more."),
    "help.vault.rotate": Text(
        es="Vuelve a sellar el vault con otra clave; no cambia ningún valor.",
        en="Seal the vault anew with a new key; no value changes.",
    ),
    "help.vault.rotate.passphrase": Text(
        es="Séllalo con una frase (se pregunta) en vez de con el archivo de clave.",
        en="Seal it with a passphrase (asked for) instead of the key file.",
    ),
    "help.vault.rotate.key_file": Text(
        es="Séllalo con un archivo de clave en vez de con una frase.",
        en="Seal it with a key file instead of a passphrase.",
    ),
    "help.vault.env": Text(
        es='Los valores como variables de la shell: eval "$(elruso vault env)".',
        en='The values as shell variables: eval "$(elruso vault env)".',
    ),
    "vault.ask": Text(es="Valor de {name}", en="Value of {name}"),
    "vault.ask_passphrase": Text(es="Nueva frase", en="New passphrase"),
    "vault.empty_passphrase": Text(es="La frase está vacía.", en="The passphrase is empty."),
    "vault.set": Text(es="{name} guardado en el vault.", en="{name} is in the vault."),
    "vault.short": Text(
        es="{name} tiene menos de {least} caracteres: no se puede ocultar en lo que imprimen las tareas.",
        en="{name} has fewer than {least} characters: it cannot be hidden in what tasks print.",
    ),
    "vault.everyday": Text(
        es="{name} es una palabra común o muy simple: se ocultará donde aparezca, y fallará cada ejecución cuyo "
        "commit la contenga. Usa un valor largo y aleatorio.",
        en="{name} is a common word or too simple: it is redacted wherever it occurs, and each run that commits it "
        "fails. Use a long random value.",
    ),
    "vault.in_project": Text(
        es="El valor de {name} está en {file}, un archivo del proyecto: se ocultará donde aparezca. "
        "Cámbialo, o quítalo de ahí.",
        en="The value of {name} is in {file}, a file of the project: it is redacted wherever it occurs. "
        "Change it, or remove it from there.",
    ),
    "vault.line_break": Text(
        es="{name} termina con un salto de línea, como el archivo. Si sobra: printf %s VALOR | elruso vault set {name}",
        en="{name} ends with a line break, as the file does. If it must not: printf %s VALUE | elruso vault set {name}",
    ),
    "vault.removed": Text(es="{name} borrado del vault.", en="{name} is no longer in the vault."),
    "vault.granted": Text(
        es="{name}: la recibe la tarea que la nombra en params.secrets.",
        en="{name}: a task that names it in params.secrets gets it.",
    ),
    "vault.revoked": Text(es="{name}: ninguna tarea la recibe.", en="{name}: no task gets it."),
    "vault.rotated": Text(
        es="El vault está sellado con una clave nueva; las copias anteriores no se abren con ella.",
        en="The vault is sealed with a new key; earlier copies do not open with it.",
    ),
    "vault.rotated_passphrase": Text(
        es="El vault está sellado con la frase. Ponla en ELRUSO_VAULT_PASSPHRASE y reinicia lo que esté en marcha.",
        en="The vault is sealed with the passphrase. Put it into ELRUSO_VAULT_PASSPHRASE and restart what runs.",
    ),
    "vault.empty": Text(
        es="El vault está vacío. Guarda algo: elruso vault set OPENAI_API_KEY",
        en="The vault is empty. Store something: elruso vault set OPENAI_API_KEY",
    ),
    "vault.for_tasks": Text(es="para tareas", en="for tasks"),
    "vault.provided": Text(es="Solicitudes atendidas: {requests}.", en="Requests provided: {requests}."),
    "vault.reopened": Text(es="Solicitudes abiertas de nuevo: {requests}.", en="Requests open again: {requests}."),
    "vault.untold": Text(
        es="El motor no responde ({detail}); lo verá en el vault cuando arranque.",
        en="The engine does not answer ({detail}); it will see it in the vault when it starts.",
    ),
    "vault.unknown_name": Text(
        es="No hay {name} en el vault; hay: {known}.", en="No {name} in the vault; it has: {known}."
    ),
    "vault.bad_name": Text(
        es="{name!r} no puede ser una variable: letras, cifras y _, sin cifra al principio.",
        en="{name!r} cannot be a variable: letters, digits and _, no digit first.",
    ),
    "vault.empty_value": Text(es="El valor de {name} está vacío.", en="The value of {name} is empty."),
    "vault.binary_value": Text(
        es="El valor de {name} no es texto (contiene NUL o no es UTF-8); guárdalo en base64.",
        en="The value of {name} is no text (it contains NUL or is no UTF-8); store it as base64.",
    ),
    "vault.long_value": Text(
        es="El valor de {name} pasa de {limit} bytes; guarda un archivo y aquí su ruta.",
        en="The value of {name} is longer than {limit} bytes; keep a file, and here its path.",
    ),
    "vault.locked": Text(
        es="El vault de {folder} está sellado con una frase: ponla en ELRUSO_VAULT_PASSPHRASE.",
        en="The vault in {folder} is sealed with a passphrase: put it into ELRUSO_VAULT_PASSPHRASE.",
    ),
    "vault.wrong_passphrase": Text(
        es="El vault de {folder} no se abre: ELRUSO_VAULT_PASSPHRASE es otra, o el archivo está dañado. "
        "Corrige la frase, o recupera el archivo `sealed` de una copia.",
        en="The vault in {folder} does not open: ELRUSO_VAULT_PASSPHRASE is another one, or the file is damaged. "
        "Mend the passphrase, or restore the file `sealed` from a copy.",
    ),
    "vault.damaged": Text(
        es="El vault de {folder} está dañado: no es lo que se selló. Recupera los archivos `sealed` y `key` "
        "de una copia, o apártalos y guarda los valores de nuevo.",
        en="The vault in {folder} is damaged: it is not what was sealed. Restore the files `sealed` and `key` from a "
        "copy, or move them away and store the values anew.",
    ),
    "vault.no_key": Text(
        es="Falta la clave del vault, {file}. Recupérala de una copia, o aparta `sealed` y guarda todo de nuevo.",
        en="The vault's key is missing: {file}. Restore it from a copy, or move `sealed` away and store all anew.",
    ),
    "vault.key_exposed": Text(
        es="Otros usuarios pueden leer {file}. Ciérralo con `chmod 600 {file}` y cambia la clave: elruso vault rotate",
        en="Other users can read {file}. Close it with `chmod 600 {file}` and change the key: elruso vault rotate",
    ),
    "vault.key_damaged": Text(
        es="{file} no es un archivo de clave. Recupéralo de una copia.",
        en="{file} is no key file. Restore it from a copy.",
    ),
    "vault.disk": Text(es="No se puede usar {file}: {detail}.", en="{file} cannot be used: {detail}."),
}
