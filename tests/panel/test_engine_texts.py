"""The engine's own words in a Spanish page: known again by their wording, and nobody else's text is touched."""

import re
import string
from pathlib import Path
from typing import get_args

import pytest

from api import errors as api_errors
from api.panel.engine import said, said_in_summary, said_of_proposal, said_of_refusal
from api.panel.texts import MESSAGES
from api.panel.texts.engine import TEXTS
from api.panel.texts.proposals import TEXTS as PROPOSALS
from api.panel.texts.refused import READ
from api.panel.texts.refused import TEXTS as REFUSED
from api.wording import NUMBERS
from events import errors
from events.errors import ElRusoError
from events.guardrails import SECRET
from events.planner import Failure
from events.reports import Report
from events.task import Step, TaskCreated, TaskFailed
from tests.api.serving import Served
from tests.panel.test_pages import page, post

ROOT = Path(__file__).parent.parent.parent
SPANISH = {"Accept-Language": "es"}
FACT = re.compile(r'\{(?!")[^{}]*\}|%s?')
HOLE = "¤"


def holed(text: str) -> str:
    """A text, or source code, with a hole wherever something is filled in."""
    while FACT.search(text):
        text = FACT.sub(HOLE, text)
    return text


@pytest.fixture(scope="module")
def source() -> str:
    """All that the engine is made of, but for the catalogues."""
    files = [ROOT / "schema.sql"]
    for package in ("events", "projections", "runner", "api", "ops"):
        files += [*(ROOT / package).rglob("*.py"), *(ROOT / package).rglob("*.sql")]
    return holed("".join(file.read_text() for file in sorted(files) if "texts" not in file.parts))


@pytest.mark.parametrize("key", [*TEXTS, *PROPOSALS, *sorted(REFUSED.keys() - READ.keys())])
def test_the_engine_says_so(key: str, source: str) -> None:
    """Each wording stands in the source; who changes it there is told here. What follows a colon may be added later."""
    wording = holed((TEXTS | PROPOSALS | REFUSED)[key].en)
    assert wording in source or wording.removesuffix(f": {HOLE}") in source


@pytest.mark.parametrize("key", TEXTS)
def test_it_is_known_again(key: str) -> None:
    """In Spanish it is the Spanish text with the same facts; statuses and what follows are in Spanish too."""
    names = {name for _, name, _, _ in string.Formatter().parse(TEXTS[key].en) if name}
    told = {name: "17" if name in NUMBERS else f"<{name} {{x}}>" for name in names}
    told |= {"status": "blocked", "rest": "its runner stops"}
    shown = told | {"status": "bloqueada", "rest": "su runner se para"}
    assert TEXTS[key].es.format(**shown) == said(TEXTS[key].en.format(**told), "es")
    assert TEXTS[key].en.format(**told) == said(TEXTS[key].en.format(**told), "en")


def test_a_refused_proposal_is_told_in_spanish() -> None:
    """One reason or several, of the rules or of the library that reads the fields; a title stays as it is."""
    told = "two of its tasks have the same id; task 'ñ' depends on itself"
    assert "dos de sus tareas tienen el mismo id; la tarea 'ñ' depende de sí misma" == said_of_proposal(told, "es")
    assert "se esperaba `str`, no `int`" == said_of_proposal("Expected `str`, got `int`", "es")
    assert "it contains a secret" not in said_of_proposal(SECRET, "es")


def test_of_a_summary_the_engines_part_is_known_again() -> None:
    """A function's own words stay as they are, what the runner counted is in Spanish."""
    assert "2 pasos; 1 archivo cambiado, +2 -0" == said_in_summary("2 steps; 1 file changed, +2 -0", "es")
    assert "sent; well; 3 archivos cambiados, +1 -1" == said_in_summary("sent; well; 3 files changed, +1 -1", "es")


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/panel/tasks?status=odd", "status: &#39;odd&#39; no es uno de los valores posibles"),
        ("/panel/tasks?odd=1", "no hay ningún campo `odd`"),
        ("/panel/tasks/bulk", "falta el campo `deed`"),
        (f"/panel/tasks?phase={'x' * 201}", "phase: no puede tener más de 200 caracteres"),
        ("/panel/runners?after=-1", "after: no puede ser menor que 0"),
        ("/panel/runners?after=1001", "after: no puede ser mayor que 1000"),
        ("/panel/runners?after=x", "after: se esperaba `int`, no `str`"),
        ("/panel/tasks?cursor=x", "esa página de la lista no existe"),
        ("/panel/tasks/none", "no hay ninguna tarea none"),
        ("/panel/runs/77", "no hay ninguna ejecución 77"),
        ("/panel/none", "no hay ninguna página none"),
    ],
)
async def test_a_refusal_is_told_in_spanish(api: Served, path: str, detail: str) -> None:
    """Also what the library that reads the fields says; on an English page it is as it was."""
    assert detail in (await api.client.get(path, headers=SPANISH)).text
    assert detail not in (await api.client.get(path)).text


@pytest.mark.parametrize("key", REFUSED)
def test_a_refusal_is_known_again(key: str) -> None:
    """No wording is taken for another one that comes before it."""
    names = {name for _, name, _, _ in string.Formatter().parse(REFUSED[key].en) if name}
    told = {name: "17" if name in NUMBERS else f"<{name}>" for name in names}
    assert REFUSED[key].es.format(**told) == said_of_refusal(REFUSED[key].en.format(**told), "es")


@pytest.mark.parametrize(
    "text", ["", "no me gusta", "boom", "parent", "exit code x", "its runner stops!", "x" * 20_000]
)
def test_any_other_text_stays_as_it_is(text: str) -> None:
    """An operator's reason, a command's last words."""
    assert text == said(text, "es")


def codes(kind: type[ElRusoError]) -> set[str]:
    """The codes of a refusal and of all its kinds that an API answers with."""
    own = {kind.code} if kind.__module__ in (errors.__name__, api_errors.__name__) else set()
    return own.union(*(codes(sub) for sub in kind.__subclasses__()))


def test_every_refusal_has_a_title() -> None:
    """Each code that a page may show is a sentence in both languages; so is each way in which a planner's run fails."""
    assert [] == sorted(code for code in codes(ElRusoError) if f"error.{code}" not in MESSAGES)
    assert [] == [failure for failure in get_args(Failure) if f"planner.failure.{failure}" not in MESSAGES]


async def test_pages_in_spanish(api: Served) -> None:
    """A blocked child, a failed step and a refusal are told in Spanish; the reasons of people as they wrote them."""
    tasks = [("p", TaskCreated("P", max_attempts=1)), ("c", TaskCreated("C", depends_on=["p"]))]
    await api.commands.create_tasks([*tasks, ("x", TaskCreated("X", steps=[Step("s", "true")]))], "human:ana")
    run = (await api.commands.claim_task("r", "p", "runner:r")).run_id
    await api.commands.report([Report("p", run, TaskFailed(run, "step 1 (one): exit code 3: boom at"), "runner:r")])
    await api.commands.cancel("x", "the parent is late", "human:ana")
    failed = "paso 1 (one): código de salida 3: boom at"
    for path in ("/panel/tasks?status=blocked", "/panel/tasks/p", f"/panel/runs/{run}", "/panel/runs", "/panel/log"):
        assert failed in await page(api, path, headers=SPANISH), path
    for path in ("/panel/tasks/c", "/panel/log"):
        assert f"la tarea p, de la que depende, está bloqueada: {failed}" in await page(api, path, headers=SPANISH)
    assert "the parent is late" in await page(api, "/panel/tasks/x", headers=SPANISH)
    assert "step 1 (one): exit code 3: boom at" in await page(api, "/panel/tasks/p")
    await post(api, "/panel/tasks/p/requeue")
    assert "reencolada a mano" in await page(api, "/panel/tasks/p", headers=SPANISH)
    refused = await post(api, "/panel/runners/nobody/drain", None, **SPANISH)
    assert 404 == refused.status_code
    assert "no hay ningún runner nobody" in refused.text
