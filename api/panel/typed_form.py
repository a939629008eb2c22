"""What a form was filled in with: its page is shown again with the input in place and the error beside it."""

from collections.abc import Sequence

from msgspec import Struct


class Refusal(Struct):
    """Why a form was refused, and the field that is wrong, if it is one.

    `shown`: a template has displayed it beside the form; else it goes to the top.
    """

    title: str
    detail: str
    field: str | None = None
    shown: bool = False
    on_top: bool = False


class TypedForm(Struct):
    """A posted form: the path it was posted to, and its fields with their values, in order."""

    action: str
    fields: Sequence[tuple[str, str]]
    refusal: Refusal | None = None
    page: str = ""
    """The address of the page that the form stands on, while that page is shown again."""

    def values(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for field, value in self.fields if field == name]
