"""Alerts."""

from django.db import migrations, models

import e2edebug.django.fields
import e2edebug.django.store_revision


class Migration(migrations.Migration):
    dependencies = [
        ("debugging", "0003_error_classes"),
    ]

    operations = [
        e2edebug.django.store_revision.ApplyStoreRevision(
            revision="0005",
        ),
        migrations.CreateModel(
            name="AlertEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("occurred_at", e2edebug.django.fields.UtcDateTimeField()),
                ("kind", models.CharField(max_length=16)),
                ("from_state", models.CharField(blank=True, default="", max_length=16)),
                ("to_state", models.CharField(blank=True, default="", max_length=16)),
                ("level", models.CharField(blank=True, max_length=16, null=True)),
                ("value", models.FloatField(blank=True, null=True)),
                ("limit_value", models.FloatField(blank=True, null=True)),
                ("window_s", models.IntegerField(default=0)),
                ("samples", models.BigIntegerField(default=0)),
                ("correlation_id", models.CharField(blank=True, max_length=64, null=True)),
                ("actor", models.CharField(blank=True, default="", max_length=150)),
                ("note", models.TextField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "alert event",
                "db_table": "debugging_alert_event",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="AlertTarget",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "layer",
                    models.CharField(
                        choices=[
                            ("frontend", "Frontend"),
                            ("api", "Api"),
                            ("database", "Database"),
                            ("cache", "Cache"),
                            ("external", "External"),
                            ("system", "System"),
                        ],
                        max_length=16,
                    ),
                ),
                ("metric_name", models.CharField(max_length=100)),
                ("component", models.CharField(blank=True, default="", max_length=150)),
                ("state", models.CharField(default="ok", max_length=16)),
                ("level", models.CharField(blank=True, max_length=16, null=True)),
                ("memory", e2edebug.django.fields.JsonTextField()),
                ("told", e2edebug.django.fields.JsonTextField()),
                ("updated_at", e2edebug.django.fields.UtcDateTimeField()),
            ],
            options={
                "verbose_name": "alert target",
                "db_table": "debugging_alert_target",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Evaluation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("version", models.BigIntegerField(default=0)),
                ("evaluated_until", e2edebug.django.fields.UtcDateTimeField(blank=True, null=True)),
                ("newest_id", models.BigIntegerField(default=0)),
                ("floor_id", models.BigIntegerField(default=0)),
                ("floor_until", e2edebug.django.fields.UtcDateTimeField(blank=True, null=True)),
                ("evaluator", models.CharField(blank=True, default="", max_length=150)),
            ],
            options={
                "verbose_name": "evaluation",
                "db_table": "debugging_evaluation",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="MaintenanceWindow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "layer",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("frontend", "Frontend"),
                            ("api", "Api"),
                            ("database", "Database"),
                            ("cache", "Cache"),
                            ("external", "External"),
                            ("system", "System"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("component", models.CharField(blank=True, default="", max_length=150)),
                ("starts_at", e2edebug.django.fields.UtcDateTimeField()),
                ("ends_at", e2edebug.django.fields.UtcDateTimeField()),
                ("reason", models.CharField(blank=True, default="", max_length=255)),
                ("created_by", models.CharField(blank=True, default="", max_length=150)),
                ("created_at", e2edebug.django.fields.UtcDateTimeField()),
            ],
            options={
                "verbose_name": "maintenance window",
                "db_table": "debugging_maintenance_window",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_key", models.CharField(max_length=32, unique=True)),
                ("route", models.CharField(max_length=100)),
                ("kind", models.CharField(max_length=16)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                            ("unconfirmed", "Unconfirmed"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("level", models.CharField(blank=True, max_length=16, null=True)),
                ("alert_ids", e2edebug.django.fields.JsonTextField()),
                ("subject", models.CharField(blank=True, default="", max_length=255)),
                ("message", models.TextField()),
                ("payload", e2edebug.django.fields.JsonTextField()),
                ("created_at", e2edebug.django.fields.UtcDateTimeField()),
                ("next_attempt_at", e2edebug.django.fields.UtcDateTimeField()),
                ("attempts", models.IntegerField(default=0)),
                ("claimed_by", models.CharField(blank=True, default="", max_length=150)),
                ("claimed_until", e2edebug.django.fields.UtcDateTimeField(blank=True, null=True)),
                ("sent_at", e2edebug.django.fields.UtcDateTimeField(blank=True, null=True)),
                ("is_possible_repeat", models.BooleanField(default=False)),
                ("last_error", models.CharField(blank=True, default="", max_length=1024)),
            ],
            options={
                "verbose_name": "notification",
                "db_table": "debugging_notification",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Release",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("service", models.CharField(blank=True, default="", max_length=100)),
                ("service_release", models.CharField(max_length=64)),
                ("first_seen", e2edebug.django.fields.UtcDateTimeField()),
                ("last_seen", e2edebug.django.fields.UtcDateTimeField()),
            ],
            options={
                "verbose_name": "release",
                "db_table": "debugging_release",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="ThresholdOption",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("min_samples", models.IntegerField(blank=True, null=True)),
                ("no_data_s", models.IntegerField(default=0)),
            ],
            options={
                "verbose_name": "threshold option",
                "db_table": "debugging_threshold_option",
                "managed": False,
            },
        ),
    ]
