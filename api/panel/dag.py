"""A picture of tasks that wait for each other: where the boxes and arrows stand. Time runs from left to right."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

BOX_WIDTH, BOX_HEIGHT = 208, 52
COLUMN, ROW = 250, 68
MARGIN = 8
TITLE_WIDTH = 21.5  # letters of usual width that fit into a box
NARROW, WIDE = frozenset("fijlrtI.,:;'|!()[]{} -"), frozenset("mwMW@%&")


class Node(Struct, frozen=True):
    """What is drawn of a task. One that is only `planned` (`exists` false) leads nowhere."""

    id: str
    title: str
    status: str
    exists: bool = True


class Box(Struct, frozen=True):
    """A task in the picture: the upper left corner of its box, and as much of its title as fits."""

    x: int
    y: int
    label: str
    node: Node
    chosen: bool


class Picture(Struct, frozen=True):
    """Boxes, and arrows as paths of SVG."""

    width: int
    height: int
    boxes: list[Box]
    arrows: list[str]
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT


def draw(levels: Mapping[int, Sequence[Node]], edges: set[tuple[str, str]], chosen: str | None = None) -> Picture:
    """`levels`: column -> tasks, from top to bottom. `edges`: (parent, child)."""
    columns = sorted(levels)
    tallest = max((len(levels[column]) for column in columns), default=1)
    height = tallest * ROW + 2 * MARGIN - (ROW - BOX_HEIGHT)
    places: dict[str, Box] = {}
    for place, column in enumerate(columns):
        top = (height - len(levels[column]) * ROW + (ROW - BOX_HEIGHT)) // 2
        for row, node in enumerate(levels[column]):
            x, y = MARGIN + place * COLUMN, top + row * ROW
            places[node.id] = Box(x, y, cut(node.title, TITLE_WIDTH), node, node.id == chosen)
    arrows = [_arrow(places[parent], places[child]) for parent, child in sorted(edges)]
    width = max(1, len(columns)) * COLUMN + 2 * MARGIN - (COLUMN - BOX_WIDTH)
    return Picture(width, height, list(places.values()), arrows)


def layer(nodes: Sequence[Node], edges: set[tuple[str, str]]) -> dict[int, list[Node]]:
    """Columns for tasks without any: each stands right of all that it waits for."""
    parents: dict[str, set[str]] = {node.id: set() for node in nodes}
    for parent, child in edges:
        parents[child].add(parent)
    depth: dict[str, int] = {}
    for _ in nodes:  # as many rounds as the longest chain could need
        for name, above in parents.items():
            depth[name] = max((depth.get(one, 0) + 1 for one in above), default=0)
    levels: dict[int, list[Node]] = {}
    for node in nodes:
        levels.setdefault(depth[node.id], []).append(node)
    return levels


def cut(text: str, width: float) -> str:
    """The beginning of a text, of about so many letters of usual width."""
    left = width
    for place, letter in enumerate(text):
        left -= 0.6 if letter in NARROW else 1.45 if letter in WIDE else 1.15 if letter.isupper() else 1.0
        if left < 0:
            return text[: max(place - 1, 0)].rstrip() + "…"
    return text


def _arrow(parent: Box, child: Box) -> str:
    x1, y1 = parent.x + BOX_WIDTH, parent.y + BOX_HEIGHT // 2
    x2, y2 = child.x - 7, child.y + BOX_HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    return f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
