"""Named SQL statements, loaded from the .sql files that lie beside each package.

A file holds statements under `-- name: verb_noun`; the comment lines after the name say what the statement is for.
"""

from functools import cache
from importlib.resources import files


@cache
def load_statements(package: str, file_name: str) -> dict[str, str]:
    """The statements of one file by name, e.g. `load_statements("events", "commands.sql")["claim_tasks"]`.

    Raises:
        ValueError: a name stands twice in the file.
    """
    statements: dict[str, str] = {}
    for part in files(package).joinpath(file_name).read_text("utf-8").split("\n-- name: ")[1:]:
        name, _, text = part.partition("\n")
        if name in statements:
            raise ValueError(f"{package}/{file_name} names {name} twice")
        statements[name.strip()] = text.strip().rstrip(";")
    return statements
