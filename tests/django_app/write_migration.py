"""Write the Django migration of a new revision of the store: `make django-migration NAME=what_is_new`.

It executes the revisions that no migration has yet and creates the models that none describes.
"""

import argparse
import sys
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not secret",
    INSTALLED_APPS=["e2edebug.django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
    E2EDEBUG={"ENABLED": False},
)
django.setup()

from django.apps import apps  # noqa: E402  # Django is configured above
from django.db.migrations import Migration  # noqa: E402
from django.db.migrations.autodetector import MigrationAutodetector  # noqa: E402
from django.db.migrations.loader import MigrationLoader  # noqa: E402
from django.db.migrations.state import ProjectState  # noqa: E402
from django.db.migrations.writer import MigrationWriter  # noqa: E402

from e2edebug.django.store_revision import ApplyStoreRevision  # noqa: E402
from e2edebug_schema.migrate import revisions  # noqa: E402

LABEL = "debugging"


def applied_revisions(loader: MigrationLoader) -> list[str]:
    """Return the revisions that the migrations execute, in their order."""
    return [
        operation.revision
        for key in sorted(loader.disk_migrations)
        if key[0] == LABEL
        for operation in loader.disk_migrations[key].operations
        if isinstance(operation, ApplyStoreRevision)
    ]


def missing_migration(name: str) -> Migration | None:
    """Return the migration that is not written yet, None when there is nothing to write."""
    loader = MigrationLoader(None)
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    found = detector.changes(loader.graph, trim_to_apps={LABEL}, convert_apps={LABEL}).get(LABEL, [])
    done = applied_revisions(loader)
    new = [ApplyStoreRevision(revision=one) for one in revisions() if one not in done]
    if not (found or new):
        return None
    leaves = loader.graph.leaf_nodes(LABEL)
    number = int(leaves[0][1][:4]) + 1 if leaves else 1
    migration = Migration(f"{number:04d}_{name}", LABEL)
    migration.initial = True if number == 1 else None
    migration.dependencies = list(leaves)
    migration.operations = [*new, *(operation for one in found for operation in one.operations)]
    return migration


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="what the migration brings: retention_lease")
    migration = missing_migration(parser.parse_args().name)
    if migration is None:
        print("Every revision and every model has its migration.")
        sys.exit()
    writer = MigrationWriter(migration, include_header=False)
    path = Path(writer.path)
    path.write_text(f'"""{migration.name[5:].replace("_", " ").capitalize()}."""\n\n{writer.as_string()}')
    print(path)
