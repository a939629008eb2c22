"""Which files a task may change."""

from collections.abc import Callable

import pytest

from events.errors import InvalidInput
from events.task import FileChange
from runner.scope import Scope, _fits


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("src/**", "src/a/b.py", True),
        ("src/**", "src", False),
        ("src/**", "srcs/a", False),
        ("src/**", "other/src/a", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "a/b/c.md", True),
        ("docs/*.md", "docs/a/b.md", False),
        ("src", "src/a/b", True),
        ("src/", "src/a", True),
        ("src/*/", "src/a/b", True),
        ("README.md", "README.md", True),
        ("README.md", "README.md.bak", False),
        ("*.py", "a/b.py", False),
        ("a[!x]b", "a/b", False),
        ("a[0-9]", "a1", True),
        ("a[z-a]", "ab", False),
        (".", "", False),
        ("**", "with\nnewline", True),
    ],
)
def test_patterns_mean_what_they_say(pattern: str, path: str, allowed: bool) -> None:
    """A star stays within one part of a path, two stars cross parts, a plain name stands for what is below it."""
    if pattern == ".":
        with pytest.raises(InvalidInput):
            Scope([pattern])
        return
    assert Scope([pattern]).allows(path) is allowed


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../x", "src/../../x", "", "~/x", "C:\\x", "a\0b"])
def test_patterns_that_lead_out_are_refused(pattern: str) -> None:
    """Absolute patterns, `..`, home directories and empty patterns are invalid input that names the field."""
    with pytest.raises(InvalidInput, match="allowed_scope"):
        Scope([pattern])


def test_a_rename_changes_two_paths() -> None:
    """Moving a file out of the scope, or into it, offends."""
    moved = FileChange(path="src/new", change="renamed", renamed_from="old")
    assert Scope(["src/**"]).offenders([moved]) == ["old"]


def test_the_complaint_names_the_offenders() -> None:
    """Up to twenty files are named, the rest are counted."""
    scope = Scope(["src/**"])
    complaint = scope.complaint([f"file{number}" for number in range(25)])
    assert "src/**" in complaint
    assert "file19 and 5 more" in complaint


def test_without_patterns_everything_is_allowed() -> None:
    """An empty scope is no restriction."""
    assert Scope([]).offenders([FileChange(path="anything")]) == []


def test_hostile_parts_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many `**` there are, a part of the path is compared at most once with each part of the pattern."""
    compared: list[str] = []

    def counted(part: Callable[[str], object], name: str) -> bool:
        compared.append(name)
        return _fits(part, name)

    monkeypatch.setattr("runner.scope._fits", counted)
    assert not Scope(["**/a" * 30 + "/b"]).allows("a/" * 100 + "c")
    assert len(compared) <= 61 * 101


def test_hostile_stars_cost_little() -> None:
    """A part full of stars is matched without trying every way to read it: that would outlast any test."""
    assert not Scope(["*a" * 60 + "b"]).allows("a" * 200)
