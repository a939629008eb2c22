"""The house rules as functions: each looks at one file and says what it finds wrong."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("events", "projections", "api", "runner", "ops")
FUNCTION_LINES = 70
FILE_LINES = 400
TEST_FILE_LINES = 600
PRINTERS = ("ops/terminal.py", "ops/printing.py")  # printing.py redacts what is printed, and passes it on
PRINTING = {
    *("print", "pprint", "click.echo", "click.secho", "click.prompt", "click.confirm", "click.echo_via_pager"),
    *("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer.write", "sys.stderr.buffer.write"),
}
VAGUE_NAMES = {"common", "helper", "helpers", "manager", "misc", "stuff", "util", "utils"}
ENVIRONMENT_READER = "ops/config.py"
WAITING = "tests/support/waiting.py"
# Put together here so that this file itself does not contain them.
FORBIDDEN_WORDS = tuple(
    "".join(parts)
    for parts in [
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("npm", "js.org"),
        ("docker", ".io"),
        ("proxy.golang", ".org"),
        ("/opt", "/dev/"),
        ("/tmp", "/team"),
        ("/work", "/"),
    ]
)
SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w|DELETE\s+FROM\s|MERGE\s+INTO\s|WITH\s+\w+\s+AS\s|TRUNCATE\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|FUNCTION|TRIGGER|SCHEMA|TYPE|VIEW|ROLE|DATABASE)\b)"
)
# Administration that has no place in a .sql file: one line, and about the server or the migrator's own notes.
ADMINISTRATION = ("ops/postgres/", "ops/migrate.py", "ops/commands/db.py")
SERVER_FUNCTION = re.compile(r"\s*SELECT (pg_\w+\(|\$1|1\b)")  # a hint, a lock, a ping

Complaint = str


def complain_about_length(path: str, text: str) -> Iterator[Complaint]:
    """Files of at most 400 lines (tests 600), functions of at most 70 lines of code."""
    limit = TEST_FILE_LINES if path.startswith("tests/") else FILE_LINES
    if text.count("\n") > limit:
        yield f"{path} has {text.count(chr(10))} lines; {limit} are allowed"
    lines = text.splitlines()
    for function in _functions(text):
        length = _code_lines(function, lines)
        if length > FUNCTION_LINES:
            yield f"{path}: {function.name} has {length} lines of code; {FUNCTION_LINES} are allowed"


def complain_about_printing(path: str, text: str) -> Iterator[Complaint]:
    """Only ops/terminal.py prints: there what models wrote is made harmless for terminals (ADR 0022)."""
    if path in PRINTERS:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PRINTING:
            yield f"{path}:{node.lineno} prints; use ops.terminal.Terminal"
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "rich" in ast.unparse(node).replace(".", " ").split():
            yield f"{path}:{node.lineno} imports rich; what a terminal shows leaves through ops.terminal"


def complain_about_name(path: str, text: str) -> Iterator[Complaint]:
    """A module is named after its noun, and never like a module of the standard library."""
    name = Path(path).stem
    if name in VAGUE_NAMES:
        yield f"{path}: {name} says nothing; name the noun"
    if name in sys.stdlib_module_names and not name.startswith("__"):
        yield f"{path}: {name} is a module of the standard library"


def complain_about_environment(path: str, text: str) -> Iterator[Complaint]:
    """Only ops/config.py reads the environment."""
    if path == ENVIRONMENT_READER:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"}:
            yield f"{path}:{node.lineno} reads the environment; {ENVIRONMENT_READER} does that"


def complain_about_sql(path: str, text: str) -> Iterator[Complaint]:
    """SQL stands in .sql files, save for one-line administration."""
    tree = ast.parse(text)
    docstrings = set(_docstrings(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in docstrings:
            continue
        if SQL.match(node.value) and not _is_administration(path, node):
            yield f"{path}:{node.lineno} holds SQL; it belongs in a .sql file beside the package"


def complain_about_sleeping(path: str, text: str) -> Iterator[Complaint]:
    """Tests wait for what must come true, not for time to pass; sleep(0) only lets others run."""
    if path == WAITING:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and _name(node.func) == "sleep" and not _is_zero(node):
            yield f"{path}:{node.lineno} sleeps; use eventually() or an event"


def complain_about_untold_tests(path: str, text: str) -> Iterator[Complaint]:
    """Each test's docstring states the fact it proves."""
    for function in _functions(text):
        if function.name.startswith("test_") and not ast.get_docstring(function):
            yield f"{path}: {function.name} does not say which fact it proves"


def complain_about_words(path: str, text: str) -> Iterator[Complaint]:
    """No addresses of package registries, no paths of one machine."""
    for number, line in enumerate(text.splitlines(), start=1):
        for word in FORBIDDEN_WORDS:
            if word in line:
                yield f"{path}:{number} contains {word!r}"


def _functions(text: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Lines that hold code: neither blank, nor comment, nor docstring."""
    assert function.end_lineno is not None
    first = function.body[0]
    told = range(first.lineno, (first.end_lineno or first.lineno) + 1) if ast.get_docstring(function) else range(0)
    code = (
        lines[number - 1].strip() for number in range(function.lineno, function.end_lineno + 1) if number not in told
    )
    return sum(1 for line in code if line and not line.startswith("#"))


def _docstrings(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _is_administration(path: str, node: ast.Constant) -> bool:
    assert isinstance(node.value, str)
    one_line = "\n" not in node.value.strip()
    return one_line and (path.startswith(ADMINISTRATION) or bool(SERVER_FUNCTION.match(node.value)))


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_zero(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
