"""The pages that can be reached from everywhere."""

from msgspec import Struct

from api.panel.visit import Visit


class Place(Struct, frozen=True):
    """A row of the navigation. `old`: the address it had in the first El Ruso, behind the #."""

    name: str
    path: str
    here: bool
    old: str | None = None


PLACES = (
    ("home", "/panel", None),
    ("tasks", "/panel/tasks", "/tasks"),
    ("runs", "/panel/runs", "/runs"),
    ("runners", "/panel/runners", "/runners"),
    ("directives", "/panel/directives", "/directives"),
    ("requests", "/panel/requests", "/requests"),
    ("log", "/panel/log", None),
)


def navigation(visit: Visit) -> list[Place]:
    """The navigation, as seen from where the visitor is."""
    path = visit.path().partition("?")[0].rstrip("/")
    return [
        Place(name, place, path == place or (name != "home" and path.startswith(f"{place}/")), old)
        for name, place, old in PLACES
    ]
