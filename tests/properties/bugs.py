"""Bugs to plant in schema.sql: each breaks something that the random histories are there to hold."""

from msgspec import Struct

from ops.migrate import VIEW_DIVIDER, Schema, schema_sql


class Bug(Struct, frozen=True):
    """A change to schema.sql that makes it wrong."""

    name: str
    right: str
    wrong: str

    def planted(self) -> Schema:
        """The schema with the bug in it."""
        text = schema_sql()
        assert 1 == text.count(self.right), f"{self.name}: schema.sql says it otherwise by now; plant the bug anew"
        log, _, view = text.replace(self.right, self.wrong).partition(VIEW_DIVIDER)
        return Schema(log, view)


BUGS = [
    Bug(
        "the fence is forgotten",
        "AND m.first_run IS NOT DISTINCT FROM CASE WHEN live THEN t.run_id ELSE m.first_run END",
        "",
    ),
    Bug("a parent's end frees nobody", "SET waiting_on = t.waiting_on - f.ended", "SET waiting_on = t.waiting_on"),
    Bug(
        "done is not final",
        "'{running,failed,blocked,cancelled}',  'ready'",
        "'{running,failed,blocked,cancelled,done}',  'ready'",
    ),
    Bug(
        "cancelled parents hold their children for ever",
        "WHERE b.type IN ('task.failed', 'task.blocked', 'task.cancelled')",
        "WHERE b.type IN ('task.failed', 'task.blocked')",
    ),
    Bug(
        "what fell due stays claimable for ever",
        "CASE WHEN t.status = 'ready' THEN (SELECT r.ctid",
        "CASE WHEN t.status = 'ready' AND t.next_run_at IS NULL THEN (SELECT r.ctid",
    ),
    Bug("a count is wrong", "cancelled = cancelled + delta[6]", "cancelled = cancelled + abs(delta[6])"),
    Bug(
        "a life that is recalled starts when it was claimed",
        "(s.definition).next_run_at)), s.times[1], s.times[2], s.times[3]",
        "(s.definition).next_run_at)), s.times[1], s.times[2], s.times[2]",
    ),
    Bug("a requeue keeps its old place", "position = coalesce(m.ready_seq, t.position)", "position = t.position"),
]
