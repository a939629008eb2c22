"""How a command was written wrongly, as click words it and in Spanish.

Each `en` is click's wording, by which it is known again (api/wording.py); `rest` is known again by itself.
"""

from ops.texts.text import Text

TEXTS = {
    "usage.hint": Text(es="Más con «{command}».", en="Try '{command}' for help."),
    "usage.usage": Text(es="Uso: {rest}", en="Usage: {rest}"),
    "usage.no_command": Text(es="No existe la orden {name}.", en="No such command {name}."),
    "usage.no_option": Text(es="No existe la opción {name}.", en="No such option {name}."),
    "usage.no_command_but": Text(es="{rest} ¿Querías decir {name}?", en="{rest} Did you mean {name}?"),
    "usage.no_command_but_many": Text(
        es="{rest} (¿Querías decir {names}?)", en="{rest} (Did you mean one of: {names}?)"
    ),
    "usage.missing_command": Text(es="Falta la orden.", en="Missing command."),
    "usage.missing_argument": Text(es="Falta el argumento {name}.", en="Missing argument {name}."),
    "usage.missing_choice": Text(
        es="Falta la opción {name}. Puede ser:{choices}", en="Missing option {name}. Choose from:{choices}"
    ),
    "usage.missing_option": Text(es="Falta la opción {name}.", en="Missing option {name}."),
    "usage.no_value": Text(es="La opción {name} necesita un valor.", en="Option {name} requires an argument."),
    "usage.value": Text(es="La opción {name} no admite un valor.", en="Option {name} does not take a value."),
    "usage.extra": Text(es="Sobra el argumento ({names})", en="Got unexpected extra argument ({names})"),
    "usage.extras": Text(es="Sobran los argumentos ({names})", en="Got unexpected extra arguments ({names})"),
    "usage.invalid": Text(es="{name} no vale: {rest}", en="Invalid value for {name}: {rest}"),
    "usage.integer": Text(es="{value} no es un número entero.", en="{value} is not a valid integer."),
    "usage.integer_range": Text(es="{value} no es un número entero.", en="{value} is not a valid integer range."),
    "usage.number": Text(es="{value} no es un número.", en="{value} is not a valid float."),
    "usage.number_range": Text(es="{value} no es un número.", en="{value} is not a valid float range."),
    "usage.range": Text(es="{value} no está entre {range}.", en="{value} is not in the range {range}."),
    "usage.one_of": Text(es="{value} no es ninguno de {choices}.", en="{value} is not one of {choices}."),
    "usage.no_file": Text(es="no existe el archivo {name}.", en="File {name} does not exist."),
    "usage.no_folder": Text(es="no existe la carpeta {name}.", en="Directory {name} does not exist."),
    "usage.is_folder": Text(es="{name} es una carpeta.", en="File {name} is a directory."),
    "usage.is_file": Text(es="{name} es un archivo.", en="Directory {name} is a file."),
}
