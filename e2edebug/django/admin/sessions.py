"""Workflows: the list, and each with its steps as a tree."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from e2edebug.django.admin.cells import (
    age,
    badge,
    cut,
    duration_text,
    json_text,
    list_link,
    moment,
    page_link,
    workflow_link,
)
from e2edebug.django.admin.recorded import RecordedAdmin
from e2edebug.django.admin.time_range import time_range
from e2edebug.django.admin.workflow_tree import workflow_tree
from e2edebug.django.models import WorkflowSession
from e2edebug.django.store_engine import store_for_reading
from e2edebug_schema.queries.sessions import find_session, sessions_within

REPEATED_FROM = 5
"""A statement that ran so often within one request is an N+1, most likely."""


class WorkflowType(SimpleListFilter):
    """`?workflow_type=checkout`."""

    title = "type"
    parameter_name = "workflow_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  # Django's signature
        """The types there are: the index by type and time is read at the beginning of each."""
        types = WorkflowSession.objects.order_by("workflow_type").values_list("workflow_type", flat=True).distinct()
        return [(name, cut(name, 40)) for name in types[:50]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002  # Django's signature
        """Workflows of that type."""
        return queryset.filter(workflow_type=self.value()) if self.value() else queryset


class WithTrouble(SimpleListFilter):
    """`?trouble=errors`, `?trouble=repeated`, `?trouble=slow`."""

    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  # Django's signature
        """What can be wrong with a workflow by its summary."""
        return [("errors", "with errors"), ("repeated", "repeated statements"), ("slow", "slower than 1 s")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002  # Django's signature
        """Workflows with that trouble."""
        match self.value():
            case "errors":
                return queryset.filter(error_count__gt=0)
            case "repeated":
                return queryset.filter(repeat_count__gte=REPEATED_FROM)
            case "slow":
                return queryset.filter(duration_ms__gt=1000)
        return queryset


@admin.register(WorkflowSession)
class WorkflowSessionAdmin(RecordedAdmin):
    """Workflow sessions."""

    time_field = "start_time"
    list_display = ("began", "state", "request", "took", "queries", "errors", "steps", "user", "slowest")
    list_display_links = ("began",)
    list_filter = (
        time_range("start_time", offered=("1h", "24h", "7d")),
        WithTrouble,
        "status",
        WorkflowType,
    )
    change_form_template = "admin/debugging/workflow.html"

    # The list.

    @admin.display(description="Started")
    def began(self, row: Any) -> Any:
        """When it began."""
        return moment(row.start_time)

    @admin.display(description="Status")
    def state(self, row: Any) -> Any:
        """What became of it."""
        return badge(row.status)

    @admin.display(description="Workflow")
    def request(self, row: Any) -> Any:
        """Its type, and what began it."""
        return format_html(
            '<b title="{}">{}</b> {}', row.correlation_id, cut(row.workflow_type, 30), cut(row.root_operation, 60)
        )

    @admin.display(description="User")
    def user(self, row: Any) -> Any:
        """Who did it."""
        return cut(row.user_label or row.user_id, 24)

    @admin.display(description="Took")
    def took(self, row: Any) -> Any:
        """How long it took."""
        return duration_text(row.duration_ms)

    @admin.display(description="Steps")
    def steps(self, row: Any) -> Any:
        """How many steps."""
        return f"{row.step_count:,}"

    @admin.display(description="Queries")
    def queries(self, row: Any) -> Any:
        """How many queries, and how often the most repeated ran."""
        if row.repeat_count < REPEATED_FROM:
            return f"{row.query_count:,}"
        return format_html(
            '{} <span class="e2e-count" title="{}">&times; {}</span>',
            f"{row.query_count:,}", row.repeat_statement or "", row.repeat_count,
        )  # fmt: skip

    @admin.display(description="Errors")
    def errors(self, row: Any) -> Any:
        """How many errors."""
        return format_html('<span class="e2e-count e2e-bad">{}</span>', row.error_count) if row.error_count else "0"

    @admin.display(description="Slowest step")
    def slowest(self, row: Any) -> Any:
        """The slowest of its steps."""
        if not row.slowest_step:
            return cut(None)
        return format_html("{} <small>{}</small>", cut(row.slowest_step, 40), duration_text(row.slowest_ms))

    # The page.

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002  # Django's signature
        """Nothing of Django's form: the template shows everything."""
        return []

    def get_urls(self) -> list[URLPattern]:
        """Add the address that finds a workflow by any of its ids."""
        found = self.admin_site.admin_view(self.workflow_of)
        return [path("of/", found, name="debugging_workflow_of"), *super().get_urls()]

    def workflow_of(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the page of the workflow with this correlation id or trace id."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        reference = request.GET.get("id", "")[:100]
        with store_for_reading() as source:
            found = find_session(source, reference)
        if found is None:
            messages.warning(request, f"No workflow has the id {reference}: it may not have arrived yet, or be gone.")
            return redirect("admin:debugging_workflowsession_changelist")
        return redirect("admin:debugging_workflowsession_change", found.id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one workflow."""
        session = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if session is not None and self.has_view_permission(request, session):
            context |= self._page(request, session)
        return super().change_view(request, object_id, form_url, context)

    def _page(self, request: HttpRequest, session: Any) -> dict[str, Any]:
        may_see_errors = _may(request, "debugging.view_errorlog")
        correlation_id = session.correlation_id
        with store_for_reading() as source:
            record, tree = find_session(source, correlation_id), None
            if _may(request, "debugging.view_tracestep"):
                tree = workflow_tree(source, correlation_id, session=record, with_errors=may_see_errors)
            children = sessions_within(source, record) if record is not None else []
        links = [
            list_link("tracestep", "all steps", q=correlation_id),
            list_link("errorlog", "errors", q=correlation_id),
            list_link("performancesnapshot", "metrics", q=correlation_id),
            list_link("alert", "alerts", q=correlation_id),
        ]
        return {
            "title": f"{session.workflow_type}: {session.root_operation or correlation_id}"[:120],
            "subtitle": None,
            "session": session,
            "status": badge(session.status),
            "facts": self._facts(session),
            "tree": tree,
            "links": links,
            "children": [
                (page_link("workflowsession", child.id, child.correlation_id), child, duration_text(child.duration_ms))
                for child in children
            ],
            "metadata": json_text(session.metadata),
            "list_url": reverse("admin:debugging_workflowsession_changelist"),
        }

    def _facts(self, session: Any) -> list[tuple[str, Any]]:
        facts: list[tuple[str, Any]] = [
            ("Started", format_html("{} <small>{}</small>", moment(session.start_time), age(session.start_time))),
            ("Took", duration_text(session.duration_ms)),
            ("Steps", f"{session.step_count:,}"),
            ("Queries", f"{session.query_count:,}"),
            ("Errors", f"{session.error_count:,}"),
            ("User", session.user_label or session.user_id),
            ("Service", f"{session.service} {session.service_release or ''}".strip()),
            (
                "Slowest step",
                f"{session.slowest_step} ({duration_text(session.slowest_ms)})" if session.slowest_step else "",
            ),
            ("Correlation id", format_html('<span class="e2e-id">{}</span>', session.correlation_id)),
            (
                "First trace",
                format_html('<span class="e2e-id">{}</span>', session.trace_id) if session.trace_id else "",
            ),
        ]
        if session.parent_correlation_id:
            facts.append(
                ("Started within", workflow_link(session.parent_correlation_id, session.parent_correlation_id))
            )
        if session.repeat_count >= REPEATED_FROM:
            repeated = format_html("&times; {} <code>{}</code>", session.repeat_count, session.repeat_statement or "")
            facts.append(("Repeated statement", repeated))
        return [(name, value) for name, value in facts if value not in (None, "")]


def _may(request: HttpRequest, permission: str) -> bool:
    user: Any = request.user
    return bool(user.has_perm(permission))
