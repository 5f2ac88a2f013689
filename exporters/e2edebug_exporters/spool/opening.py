"""The spool that belongs to a configuration and a store, and what is kept beside it."""

from e2edebug.policy.config import Config
from e2edebug.policy.durability import Durability
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.spool.folder import SpoolFolder, SpoolUnusableError
from e2edebug_exporters.spool.location import folder_name, is_spooling, spool_root, target_name
from e2edebug_exporters.spool.remembered_configuration import RememberedConfiguration
from e2edebug_exporters.spool.spool import Spool
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_schema.store_errors import StoreError


def spool_of(config: Config, store: StoreConnection, ledger: Ledger) -> Spool | None:
    """Return the spool, None where rows are kept in memory alone. Nothing is made on disk before it is needed."""
    if not is_spooling(config):
        return None
    return Spool(lambda make: _open_folder(config, store, make), max_bytes=config.spool_max_bytes, ledger=ledger)


def remembered_configuration_of(config: Config, store: StoreConnection) -> RememberedConfiguration | None:
    """Return what is kept of the configuration in the store; None where nothing is put on disk.

    With spool-first the folder is in use from the first batch on, so that nothing is set is worth a file, too: the next
    process then knows that there is nothing to wait for.
    """
    if not is_spooling(config):
        return None
    is_spool_first = config.durability is Durability.SPOOL_FIRST
    return RememberedConfiguration(lambda make: _open_folder(config, store, make), keeps_nothing=is_spool_first)


def _open_folder(config: Config, store: StoreConnection, make: bool) -> SpoolFolder | None:
    try:
        engine = store.engine()
        target = target_name(engine)
        root = spool_root(config)
    except (StoreError, RuntimeError) as error:  # no such driver, no home
        raise SpoolUnusableError(str(error)) from error
    if target is None:
        raise SpoolUnusableError("a database in memory has no spool: nobody else could replay it")
    name = folder_name(config.service_name, target)
    if make:
        about = {"service": config.service_name, "database": target.partition(" ")[2]}
        return SpoolFolder.create(root, name, about)
    return SpoolFolder.open(root / name) if (root / name).is_dir() else None
