"""Unmanaged mirrors of the tables in e2edebug_schema.tables, with the relations between them.

A new table needs three things here: a class in a file of its own, its name below, and a migration (see
migrations/__init__.py). tests/django_app/test_mirrors.py says which of them is missing.
"""

from e2edebug.django.models.alert import Alert
from e2edebug.django.models.alert_event import AlertEvent
from e2edebug.django.models.alert_target import AlertTarget
from e2edebug.django.models.debug_configuration import DebugConfiguration
from e2edebug.django.models.error_group import ErrorGroup
from e2edebug.django.models.error_group_change import ErrorGroupChange
from e2edebug.django.models.error_log import ErrorLog
from e2edebug.django.models.evaluation import Evaluation
from e2edebug.django.models.lease import Lease
from e2edebug.django.models.maintenance_window import MaintenanceWindow
from e2edebug.django.models.notification import Notification
from e2edebug.django.models.performance_rollup import PerformanceRollup
from e2edebug.django.models.performance_snapshot import PerformanceSnapshot
from e2edebug.django.models.performance_threshold import PerformanceThreshold
from e2edebug.django.models.release import Release
from e2edebug.django.models.rollup_hour import RollupHour
from e2edebug.django.models.threshold_option import ThresholdOption
from e2edebug.django.models.trace_step import TraceStep
from e2edebug.django.models.workflow_session import WorkflowSession

__all__ = [
    "Alert",
    "AlertEvent",
    "AlertTarget",
    "DebugConfiguration",
    "ErrorGroup",
    "ErrorGroupChange",
    "ErrorLog",
    "Evaluation",
    "Lease",
    "MaintenanceWindow",
    "Notification",
    "PerformanceRollup",
    "PerformanceSnapshot",
    "PerformanceThreshold",
    "Release",
    "RollupHour",
    "ThresholdOption",
    "TraceStep",
    "WorkflowSession",
]
