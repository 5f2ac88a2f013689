"""The section "E2E Workflow Debugging System" of Django's admin; importing the modules registers them."""

from e2edebug.django.admin import alert_plans, alerts, error_groups, errors, sessions, settings_rows, snapshots, steps

__all__ = ["alert_plans", "alerts", "error_groups", "errors", "sessions", "settings_rows", "snapshots", "steps"]
