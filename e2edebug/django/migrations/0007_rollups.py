"""Rollups."""

from django.db import migrations, models

import e2edebug.django.fields
import e2edebug.django.store_revision


class Migration(migrations.Migration):
    dependencies = [
        ("debugging", "0006_session_indexes"),
    ]

    operations = [
        e2edebug.django.store_revision.ApplyStoreRevision(
            revision="0007",
        ),
        migrations.CreateModel(
            name="PerformanceRollup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("period_start", e2edebug.django.fields.UtcDateTimeField()),
                ("service", models.CharField(blank=True, default="", max_length=100)),
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
                ("component", models.CharField(blank=True, default="", max_length=150)),
                ("metric_name", models.CharField(max_length=100)),
                ("unit", models.CharField(blank=True, default="", max_length=16)),
                ("count", models.BigIntegerField(default=0)),
                ("sum", models.FloatField(blank=True, null=True)),
                ("min", models.FloatField(blank=True, null=True)),
                ("max", models.FloatField(blank=True, null=True)),
                ("error_count", models.BigIntegerField(default=0)),
                ("buckets", e2edebug.django.fields.JsonTextField(blank=True, null=True)),
                ("correlation_id", models.CharField(blank=True, max_length=64, null=True)),
            ],
            options={
                "verbose_name": "performance roll-up",
                "db_table": "debugging_performance_rollup",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="RollupHour",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("period_start", e2edebug.django.fields.UtcDateTimeField(unique=True)),
                ("claimed_at", e2edebug.django.fields.UtcDateTimeField()),
                ("version", models.BigIntegerField(default=1)),
                ("summed_version", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "rolled up hour",
                "db_table": "debugging_rollup_hour",
                "managed": False,
            },
        ),
    ]
