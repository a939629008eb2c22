"""What is said about actions."""

from msgspec import Struct


class Migrate(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is to be said."""


class SyncPush(Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run`: only tell what would be written."""

    dry_run: bool = False


class SyncPull(Struct, frozen=True, forbid_unknown_fields=True):
    """`open`: of the tasks that the file lacks, only those that are not over, and their parents."""

    open: bool = False
    dry_run: bool = False
