"""A patch of git's, read for people; and pictures of tasks."""

from hypothesis import given
from hypothesis import strategies as st

from api.panel.dag import Node, draw, layer
from api.panel.patch import LINES_MAX, read_patch

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


def test_lines_know_their_numbers() -> None:
    """Each line has its number before, after, or both."""
    files, whole = read_patch(PATCH)
    lines = files[0].hunks[0].lines
    assert whole
    assert [("same", 2, 2), ("removed", 3, None), ("added", None, 3), ("note", None, None)] == [
        (line.kind, line.before, line.after) for line in lines
    ]
    assert (1, 1, "def f():") == (files[0].added, files[0].removed, files[0].hunks[0].about)


def test_renames_and_binary_files_are_told() -> None:
    """They have no lines, but a note."""
    files, _ = read_patch(PATCH)
    assert ["a.txt", "new name.py", "logo.png"] == [file.path for file in files]
    assert ["rename from old name.py", "rename to new name.py"] == files[1].notes
    assert "Binary files /dev/null and b/logo.png differ" in files[2].notes


@given(st.text(max_size=400))
def test_anything_can_be_read(text: str) -> None:
    """What is no patch has no files, and breaks nothing."""
    files, whole = read_patch(text)
    assert whole
    assert isinstance(files, list)


def test_a_long_patch_is_cut() -> None:
    """Only so many lines are read, and it says so."""
    assert not read_patch("diff --git a/x b/x\n@@ -1 +1 @@\n" + "+x\n" * LINES_MAX)[1]


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
