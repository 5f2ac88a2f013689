"""What can be wrong with a store, one exception each, all below StoreError."""


class StoreError(Exception):
    """The store cannot be used as it is; the text says what to do."""


class StoreUrlError(StoreError, ValueError):
    """The database URL is malformed, or names a database or driver that cannot be used. Never holds a password."""


class StoreUnavailable(StoreError):  # noqa: N818  # named for the condition; the base says Error
    """The store gave no answer, or not the one that its schema promises."""


class UnsupportedServer(StoreError):  # noqa: N818  # named for the condition; the base says Error
    """The server or SQLite library is older than what the store needs."""


class MigrationLocked(StoreError):  # noqa: N818  # named for the condition; the base says Error
    """Another connection holds what the migration needs; nothing is broken, it can be run again."""


class MigrationRefused(StoreError):  # noqa: N818  # named for the condition; the base says Error
    """The database user may not create or change tables here."""


class ForeignSchema(StoreError):  # noqa: N818  # named for the condition; the base says Error
    """Tables of our names exist that are not ours; they have been left alone."""


class SchemaBehind(StoreError):  # noqa: N818  # named for the condition; the base says Error
    """The store lacks a migration; `e2edebug migrate` brings it up to date."""
