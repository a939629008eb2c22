"""The later contract of the first El Ruso's planner, translated into the fields of ours before it is read.

    objective            title                  task_id       id
    context_summary      body                   description   body
    success_criteria     acceptance_criteria    checks        commands as texts, also beside `acceptance`
    risks                {id, text, severity}   priority      1 to 5 (1 is the most urgent) become 20 to 180
    allowed_scope        of the directive: that of each task which has none

A field is renamed only where ours is missing. What neither contract names stays, and is kept (events/proposal.py).
"""

from collections.abc import Mapping
from typing import Any

Raw = dict[str, Any]

DIRECTIVE = {
    "objective": "title",
    "context_summary": "body",
    "success_criteria": "acceptance_criteria",
    "tasks": "tasks_to_create",
    "directive_id": "id",
}
TASK = {"task_id": "id", "description": "body"}
MARKS = frozenset({"objective", "context_summary", "success_criteria", "scope_type", "estimated_impact", "apply_notes"})
"""Fields by which a directive of the later contract is known."""
PRIORITIES = {1: 20, 2: 60, 3: 100, 4: 140, 5: 180}
NAME_CHARACTERS = 80


def translate(raw: Any) -> Any:
    """A directive in the fields of our contract; anything else as it is."""
    if not isinstance(raw, dict):
        return raw
    translated = _renamed(raw, DIRECTIVE)
    tasks = translated.get("tasks_to_create")
    tasks = tasks if isinstance(tasks, list) else []
    is_later = not MARKS.isdisjoint(raw) or any(
        isinstance(task, dict) and not TASK.keys().isdisjoint(task) for task in tasks
    )
    if isinstance(translated.get("risks"), list):
        translated["risks"] = [_risk(risk) for risk in translated["risks"]]
    if tasks:
        translated["tasks_to_create"] = [_task(task, translated.get("allowed_scope"), is_later) for task in tasks]
    return translated


def _task(raw: Any, scope: Any, is_later: bool) -> Any:
    if not isinstance(raw, dict):
        return raw
    translated = _renamed(raw, TASK)
    if is_later and type(translated.get("priority")) is int:
        translated["priority"] = PRIORITIES.get(translated["priority"], translated["priority"])
    if isinstance(scope, list) and translated.get("allowed_scope") is None:
        translated["allowed_scope"] = scope
    _move_checks(translated)
    return translated


def _move_checks(task: Raw) -> None:
    """Checks that are texts become {name, cmd}, under `acceptance`."""
    acceptance = task.get("acceptance")
    acceptance = dict(acceptance) if isinstance(acceptance, dict) else {}
    for name in ("checks", "expected_files"):
        if isinstance(task.get(name), list) and acceptance.get(name) is None:
            acceptance[name] = task.pop(name)
    if isinstance(acceptance.get("checks"), list):
        acceptance["checks"] = [_check(check) for check in acceptance["checks"]]
    if acceptance:
        task["acceptance"] = acceptance


def _check(check: Any) -> Any:
    return {"name": check.strip()[:NAME_CHARACTERS] or "check", "cmd": check} if isinstance(check, str) else check


def _risk(risk: Any) -> Any:
    """`R1 (high): what may go wrong`, as far as it says so."""
    if not isinstance(risk, dict) or not isinstance(risk.get("text"), str):
        return risk
    name, severity = risk.get("id"), risk.get("severity")
    opening = " ".join([*([str(name)] if name else []), *([f"({severity})"] if severity else [])])
    return f"{opening}: {risk['text']}" if opening else risk["text"]


def _renamed(raw: Mapping[str, Any], names: Mapping[str, str]) -> Raw:
    """The fields under our names, where ours are missing."""
    translated = dict(raw)
    for theirs, ours in names.items():
        if theirs in translated and translated.get(ours) is None:
            translated[ours] = translated.pop(theirs)
    return translated
