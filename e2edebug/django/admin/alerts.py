"""Alerts: which limit was passed, since when, and who has seen it."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from sqlalchemy import Connection

from e2edebug.alerts import actions
from e2edebug.django.admin.cells import (
    age,
    badge,
    cut,
    layer_chip,
    moment,
    page_link,
    preformatted,
    workflow_link,
)
from e2edebug.django.admin.recorded import RecordedAdmin
from e2edebug.django.models import Alert, AlertEvent
from e2edebug.django.store_engine import store_for_writing

EVENTS_SHOWN = 50


@admin.register(Alert)
class AlertAdmin(RecordedAdmin):
    """Alerts."""

    time_field = ""
    trace_field = ""
    list_display = ("what", "level_", "state_", "layer_", "values", "began", "seen", "seen_by", "workflow")
    list_display_links = ("what",)
    list_filter = ("state", "level", "layer")
    actions = ("acknowledge", "snooze_for_an_hour", "snooze_for_a_day")
    search_help_text = "The correlation id of a workflow that shows it."

    @admin.display(description="What")
    def what(self, row: Any) -> Any:
        """The metric and its component."""
        return cut(f"{row.metric_name} {row.component}".strip())

    @admin.display(description="Level")
    def level_(self, row: Any) -> Any:
        """Warning or critical."""
        return badge(row.level)

    @admin.display(description="State")
    def state_(self, row: Any) -> Any:
        """Where it stands."""
        return badge(row.state)

    @admin.display(description="Layer")
    def layer_(self, row: Any) -> Any:
        """Its layer."""
        return layer_chip(row.layer)

    @admin.display(description="Value / limit")
    def values(self, row: Any) -> Any:
        """The value that passed the limit."""
        if row.value is None or row.limit_value is None:
            return cut(None)
        return f"{row.value:,.4g} / {row.limit_value:,.4g}"

    @admin.display(description="Since")
    def began(self, row: Any) -> Any:
        """Since when."""
        return age(row.started_at)

    @admin.display(description="Last seen")
    def seen(self, row: Any) -> Any:
        """When it was passed last."""
        return age(row.last_seen_at)

    @admin.display(description="Seen by")
    def seen_by(self, row: Any) -> Any:
        """Who has acknowledged it."""
        return cut(row.acknowledged_by, 30)

    @admin.display(description="Workflow")
    def workflow(self, row: Any) -> Any:
        """A workflow that shows it."""
        return workflow_link(row.correlation_id)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Who may change alerts may acknowledge and snooze them."""
        return super(RecordedAdmin, self).has_change_permission(request)

    @admin.action(description="Acknowledge", permissions=["decide"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Say that somebody has seen the selected alerts."""
        by, now = request.user.get_username(), timezone.now()
        changed = self._each(
            request,
            (alert for alert in queryset if alert.acknowledged_at is None),
            lambda connection, number: actions.acknowledge(connection, number, by=by, now=now),
        )
        messages.success(request, f"{changed} acknowledged.")

    @admin.action(description="Snooze for an hour", permissions=["decide"])
    def snooze_for_an_hour(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let the selected alerts be silent for an hour."""
        self._snooze(request, queryset, timedelta(hours=1))

    @admin.action(description="Snooze for a day", permissions=["decide"])
    def snooze_for_a_day(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let the selected alerts be silent for a day."""
        self._snooze(request, queryset, timedelta(days=1))

    def _snooze(self, request: HttpRequest, queryset: QuerySet[Any], length: timedelta) -> None:
        by, now = request.user.get_username(), timezone.now()
        until = now + length
        changed = self._each(
            request,
            queryset,
            lambda connection, number: actions.snooze(connection, number, until=until, by=by, now=now),
        )
        messages.success(request, f"{changed} snoozed until {moment(until)}.")

    def _each(self, request: HttpRequest, alerts: Iterable[Any], change: Callable[[Connection, int], object]) -> int:
        """Do *change* to each alert that is not over, say how many are, and return how many were changed."""
        changed = over = 0
        for alert in alerts:
            try:
                with store_for_writing() as connection:
                    change(connection, alert.pk)
                changed += 1
            except actions.AlertIsOverError:
                over += 1
        if over:
            messages.warning(request, f"{over} left as they are: those alerts are over.")
        return changed

    # The page.

    fieldsets = (
        (
            None,
            {"fields": ("what", "level_", "state_", "layer_", "values", "threshold_", "recommendation_", "workflow_")},
        ),
        ("Time", {"fields": ("started", "last_seen", "resolved")}),
        ("Seen by", {"fields": ("acknowledged_by", "acknowledged", "snoozed")}),
        ("What happened", {"fields": ("events",)}),
    )
    readonly_fields = (
        "what", "level_", "state_", "layer_", "values", "threshold_", "recommendation_", "workflow_", "started",
        "last_seen", "resolved", "acknowledged", "snoozed", "events",
    )  # fmt: skip

    @admin.display(description="Threshold")
    def threshold_(self, row: Any) -> Any:
        """The threshold that was passed."""
        if row.threshold_id is None:
            return "a built-in one"
        return page_link("performancethreshold", row.threshold_id, f"threshold {row.threshold_id}")

    @admin.display(description="What to do")
    def recommendation_(self, row: Any) -> Any:
        """The recommendation."""
        return preformatted(row.recommendation)

    @admin.display(description="Workflow")
    def workflow_(self, row: Any) -> Any:
        """A workflow that shows it."""
        return workflow_link(row.correlation_id, row.correlation_id or "")

    @admin.display(description="Since")
    def started(self, row: Any) -> Any:
        """Since when."""
        return moment(row.started_at)

    @admin.display(description="Last seen")
    def last_seen(self, row: Any) -> Any:
        """When it was passed last."""
        return moment(row.last_seen_at)

    @admin.display(description="Recovered")
    def resolved(self, row: Any) -> Any:
        """When the value had recovered."""
        return moment(row.resolved_at)

    @admin.display(description="Acknowledged")
    def acknowledged(self, row: Any) -> Any:
        """When somebody saw it."""
        return moment(row.acknowledged_at)

    @admin.display(description="Silent until")
    def snoozed(self, row: Any) -> Any:
        """Until when it is silent."""
        return moment(row.snoozed_until)

    @admin.display(description="Events")
    def events(self, row: Any) -> Any:
        """Every change of it."""
        found = AlertEvent.objects.filter(alert_id=row.pk).order_by("-id")[:EVENTS_SHOWN]
        rows = [
            (moment(one.occurred_at), one.kind, one.from_state, one.to_state, cut(one.actor, 40), cut(one.note, 200))
            for one in found
        ]
        if not rows:
            return "Nothing yet."
        return format_html(
            '<table class="e2e-table"><thead><tr><th>When</th><th>What</th><th>From</th><th>To</th><th>Who</th>'
            "<th>Note</th></tr></thead><tbody>{}</tbody></table>",
            format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows),
        )
