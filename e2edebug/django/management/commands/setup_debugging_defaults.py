"""`manage.py setup_debugging_defaults`: the default thresholds and configurations as rows, to be seen and changed."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import router, transaction

from e2edebug.django.models import DebugConfiguration, PerformanceThreshold
from e2edebug.policy.configuration_types import CONFIGURATION_TYPES
from e2edebug_schema.thresholds import DEFAULT_THRESHOLDS


class Command(BaseCommand):
    """Makes what is missing. What an operator has changed stays, unless --reset is given."""

    help = (
        "Create the default performance thresholds and debug configurations. Rows that exist stay as they are; "
        "run it as often as you like."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --reset."""
        parser.add_argument("--reset", action="store_true", help="set the rows that exist back to the defaults, too")

    def handle(self, *_: Any, **options: Any) -> None:
        """Create, or reset, and say what was done."""
        reset: bool = options["reset"]
        with transaction.atomic(using=router.db_for_write(PerformanceThreshold)):
            thresholds = [
                _make(
                    PerformanceThreshold,
                    {"layer": one.layer, "metric_name": one.metric_name, "component": one.component},
                    {
                        "warning_threshold": one.warning,
                        "critical_threshold": one.critical,
                        "enabled": one.enabled,
                        "alert_on_warning": one.alert_on_warning,
                        "alert_on_critical": one.alert_on_critical,
                        "aggregation": one.aggregation,
                        "window_s": one.window_s,
                        "pending_s": one.pending_s,
                        "recovery_margin_pct": one.recovery_margin_pct,
                    },
                    reset=reset,
                )
                for one in DEFAULT_THRESHOLDS
            ]
            configurations = [
                _make(
                    DebugConfiguration,
                    {"name": one.title},
                    {
                        "config_type": one.name,
                        "enabled": True,
                        # Null is "as the environment has it", so that the rows alone change nothing.
                        "config_data": {field.name: None for field in one.fields},
                        "description": one.meaning,
                    },
                    reset=reset,
                )
                for one in CONFIGURATION_TYPES.values()
            ]
        self.stdout.write(f"thresholds: {_told(thresholds)}; configurations: {_told(configurations)}")


def _make(model: Any, key: dict[str, Any], values: dict[str, Any], *, reset: bool) -> str:
    if reset:
        _, is_new = model.objects.update_or_create(**key, defaults=values)
        return "created" if is_new else "reset"
    _, is_new = model.objects.get_or_create(**key, defaults=values)
    return "created" if is_new else "left as they were"


def _told(results: list[str]) -> str:
    return ", ".join(
        f"{results.count(one)} {one}" for one in ("created", "reset", "left as they were") if one in results
    )
