"""Repeat index."""

from django.db import migrations

import e2edebug.django.store_revision


class Migration(migrations.Migration):
    dependencies = [
        ("debugging", "0007_rollups"),
    ]

    operations = [
        e2edebug.django.store_revision.ApplyStoreRevision(
            revision="0008",
        ),
    ]
