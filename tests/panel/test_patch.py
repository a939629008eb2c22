"""A patch of git's, read for people; and pictures of tasks."""

from hypothesis import given
from hypothesis import strategies as st

from api.panel.dag import Node, draw, layer
from api.panel.harmless import BETWEEN, harmless, harmless_each
from api.panel.patch import FileDiff, read_patch

PATCH = """\
diff --git a/a.txt b/a.txt
index 1..2 100644
--- a/a.txt
+++ b/a.txt
@@ -2,3 +2,3 @@ def f():
 same
-old
+new
\\ No newline at end of file
diff --git a/old name.py b/new name.py
similarity index 100%
rename from old name.py
rename to new name.py
diff --git a/logo.png b/logo.png
new file mode 100644
Binary files /dev/null and b/logo.png differ
"""


def read(text: str, lines: int = 1000) -> tuple[list[FileDiff], int]:
    """The files of a patch, and how many characters they are."""
    part = read_patch(text, lines)
    return part.files, part.length


def test_lines_know_their_numbers() -> None:
    """Each line has its number before, after, or both."""
    [file, *_], length = read(PATCH)
    assert len(PATCH) == length
    assert [("hunk", None, None), ("same", 2, 2), ("removed", 3, None), ("added", None, 3), ("note", None, None)] == [
        (line.kind, line.before, line.after) for line in file.lines
    ]
    assert (1, 1, "⋯ def f():") == (file.added, file.removed, file.lines[0].text)
    assert '<td class="num">3</td><td class="num"></td><td><span class="sign">−</span><bdi>old</bdi>' in file.rows


def test_renames_and_binary_files_are_told() -> None:
    """They have no lines, but a note."""
    files, _ = read(PATCH)
    assert ["a.txt", "new name.py", "logo.png"] == [file.path for file in files]
    assert ["rename from old name.py", "rename to new name.py"] == files[1].notes
    assert "Binary files /dev/null and b/logo.png differ" in files[2].notes


@given(st.text(max_size=400))
def test_anything_can_be_read(text: str) -> None:
    """What is no patch has no files, and breaks nothing."""
    files, length = read(text)
    assert len(text) == length
    assert isinstance(files, list)


def test_a_long_patch_is_read_in_parts() -> None:
    """A file that a part has no room for begins the next; what is joined again is the whole."""
    found, text = list[str](), PATCH
    while text:
        files, length = read(text, 11)
        assert not any(file.cut for file in files)
        found += [file.path for file in files]
        text = text[length:]
    assert ["a.txt", "new name.py", "logo.png"] == found


def test_a_long_file_is_cut() -> None:
    """A file that no part has room for shows its beginning, and says so."""
    [file], length = read("diff --git a/x b/x\n@@ -1 +1 @@\n" + "+x\n" * 100, 10)
    assert (True, 8) == (file.cut, file.added)
    assert len("diff --git a/x b/x\n@@ -1 +1 @@\n" + "+x\n" * 8) == length


@given(st.lists(st.text(max_size=20), max_size=10))
def test_many_texts_at_once_are_as_harmless_as_each(texts: list[str]) -> None:
    """Whatever stands in them, the one that is put between them included."""
    assert [str(harmless(text)) for text in texts] == harmless_each(texts)
    assert [str(harmless(BETWEEN)), "&lt;"] == harmless_each([BETWEEN, "<"])


@given(st.integers(1, 12), st.data())
def test_every_arrow_points_to_the_right(count: int, data: st.DataObject) -> None:
    """In a picture of tasks each stands right of all that it waits for, and no two boxes overlap."""
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    edges = {(str(a), str(b)) for a, b in data.draw(st.sets(pairs, max_size=20))} if count > 1 else set()
    nodes = [Node(str(place), f"task {place}", "ready") for place in range(count)]
    picture = draw(layer(nodes, edges), edges)
    places = {box.node.id: box for box in picture.boxes}
    assert all(places[parent].x < places[child].x for parent, child in edges)
    assert count == len({(box.x, box.y) for box in picture.boxes})
    assert all(0 <= box.x and box.x + picture.box_width <= picture.width for box in picture.boxes)
