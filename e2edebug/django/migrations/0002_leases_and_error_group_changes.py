"""Leases and error group changes."""

from django.db import migrations, models

import e2edebug.django.fields
import e2edebug.django.store_revision


class Migration(migrations.Migration):
    dependencies = [
        ("debugging", "0001_e2edebug_first_tables"),
    ]

    operations = [
        e2edebug.django.store_revision.ApplyStoreRevision(
            revision="0002",
        ),
        e2edebug.django.store_revision.ApplyStoreRevision(
            revision="0003",
        ),
        migrations.CreateModel(
            name="ErrorGroupChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=32)),
                ("fingerprint_version", models.SmallIntegerField(default=1)),
                ("changed_at", e2edebug.django.fields.UtcDateTimeField()),
                (
                    "old_status",
                    models.CharField(
                        choices=[
                            ("unresolved", "Unresolved"),
                            ("resolved", "Resolved"),
                            ("ignored", "Ignored"),
                            ("regressed", "Regressed"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "new_status",
                    models.CharField(
                        choices=[
                            ("unresolved", "Unresolved"),
                            ("resolved", "Resolved"),
                            ("ignored", "Ignored"),
                            ("regressed", "Regressed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("changed_by", models.CharField(blank=True, default="", max_length=150)),
                ("service_release", models.CharField(blank=True, max_length=64, null=True)),
                ("notes", models.TextField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "error group change",
                "db_table": "debugging_error_group_change",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("holder", models.CharField(blank=True, default="", max_length=150)),
                ("fence", models.BigIntegerField(default=0)),
                ("acquired_at", e2edebug.django.fields.UtcDateTimeField()),
                ("renewed_at", e2edebug.django.fields.UtcDateTimeField()),
                ("expires_at", e2edebug.django.fields.UtcDateTimeField()),
            ],
            options={
                "verbose_name": "lease",
                "db_table": "debugging_lease",
                "managed": False,
            },
        ),
    ]
