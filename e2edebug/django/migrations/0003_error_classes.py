"""Error classes."""

from django.db import migrations

import e2edebug.django.store_revision


class Migration(migrations.Migration):
    dependencies = [
        ("debugging", "0002_leases_and_error_group_changes"),
    ]

    operations = [
        e2edebug.django.store_revision.ApplyStoreRevision(
            revision="0004",
        ),
    ]
