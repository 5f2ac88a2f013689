"""Session indexes."""

from django.db import migrations

import e2edebug.django.store_revision


class Migration(migrations.Migration):
    dependencies = [
        ("debugging", "0005_personal_data_permission"),
    ]

    operations = [
        e2edebug.django.store_revision.ApplyStoreRevision(
            revision="0006",
        ),
    ]
