"""What the panel says exists in both languages, and is said somewhere."""

import re
import string
from pathlib import Path

import pytest

from api.panel.texts import MESSAGES
from events.catalog import EVENT_TYPES
from projections.why import SENTENCES

PANEL = Path(__file__).parent.parent.parent / "api" / "panel"
TEMPLATES = sorted(PANEL.glob("templates/*.html"))
SPOKEN = re.compile(r"""(?:\bt|visit\.text)\(\s*["']([a-zA-Z_.]+)["'](\s*~)?""")


def facts(text: str) -> set[str]:
    """The facts that a text wants."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", MESSAGES)
def test_both_languages_want_the_same_facts(key: str) -> None:
    """A fact of one text is a fact of the other."""
    assert facts(MESSAGES[key].es) == facts(MESSAGES[key].en)


def test_every_key_of_a_template_exists() -> None:
    """A key that is put together has at least one that begins like it."""
    for path in [*TEMPLATES, *PANEL.glob("*.py")]:
        for key, put_together in SPOKEN.findall(path.read_text()):
            found = any(known.startswith(key) for known in MESSAGES) if put_together else key in MESSAGES
            assert found, f"{path.name} says {key}"


def test_every_event_and_every_reason_has_words() -> None:
    """Each type of event is told as a sentence, each reason why a task is not running too."""
    assert [] == [name for name in EVENT_TYPES if f"event.{name}" not in MESSAGES]
    assert [] == [code for code in SENTENCES if f"why.{code}" not in MESSAGES]


def test_no_text_is_left_over() -> None:
    """Every message is said by a page or by a handler."""
    source = "".join(path.read_text() for path in [*TEMPLATES, *PANEL.rglob("*.py")] if path.parent.name != "texts")
    spoken = {key for key, _ in SPOKEN.findall(source)} | set(re.findall(r'"([a-z]+\.[a-zA-Z_.]+)"', source))
    prefixes = {
        f"{word}." for word in ("status", "event", "why", "role.name", "place", "kind", "theme", "wake", "change")
    }
    prefixes |= {
        "engine.",
        "refused.",
        "proposal.",
        "planner.failure.",
        "sort.",
        "bulk.",
        "error.",
        "runner.mode.",
        "directive.",
        "request.",
        "planner.stage.",
        "fault.",
        "command.",
        "marker.",
        "secret.",
        "warning.",
    }
    assert [] == [key for key in MESSAGES if key not in spoken and not key.startswith(tuple(prefixes))]


def test_no_template_sets_a_style_or_a_script() -> None:
    """The content policy would refuse them: no style attribute, no inline script, no handler attribute."""
    for path in TEMPLATES:
        text = path.read_text()
        assert not re.search(r"""\sstyle=|\son[a-z]+=["']|<style|javascript:""", text), path.name
        assert not re.search(r"<script(?![^>]*src=)", text), path.name
        assert not re.search(r"https?://", text), path.name
