"""A project with Django's admin, and what a page of it must not have."""

from html.parser import HTMLParser
from pathlib import Path

from django_app.project import Project

APPS = (
    "django.contrib.admin", "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", "e2edebug.django",
)  # fmt: skip
MIDDLEWARE = (
    "stranger.policy.strict",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SETTINGS = """
    STATIC_URL = "/static/"
    TEMPLATES[0]["OPTIONS"]["context_processors"] = [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    E2EDEBUG = {"ENABLED": False}
"""
FILES = {
    "stranger/policy.py": f'''
        POLICY = "{POLICY}"

        def strict(get_response):
            def middleware(request):
                response = get_response(request)
                response["Content-Security-Policy"] = POLICY
                return response
            return middleware
    ''',
    "stranger/urls.py": """
        from django.contrib import admin
        from django.urls import path

        urlpatterns = [path("admin/", admin.site.urls)]
    """,
    "stranger/visit.py": """
        from django.contrib.auth.models import Permission, User
        from django.test import Client

        MODELS = ("workflowsession", "tracestep", "performancesnapshot", "errorlog", "errorgroup", "alert",
                  "performancethreshold", "debugconfiguration", "maintenancewindow", "notification")

        def client(name="root", *permissions):
            user, _ = User.objects.get_or_create(
                username=name, defaults={"is_staff": True, "is_superuser": not permissions})
            for permission in permissions:
                user.user_permissions.add(Permission.objects.get(codename=permission))
            client = Client()
            client.force_login(user)
            return client

        def page(model, suffix=""):
            return f"/admin/debugging/{model}/{suffix}"
    """,
}


def admin_project(folder: Path) -> Project:
    """Return the project, with its own tables made. Where the store is, E2EDEBUG_DATABASE_URL says to each run of it."""
    project = Project(folder, apps=APPS, middleware=MIDDLEWARE, settings=SETTINGS, files=FILES)
    project.manage("migrate", "--verbosity", "0", "--skip-checks")
    return project


class Audit(HTMLParser):
    """Collects what a page under a strict policy must not have, and what a hostile string would have become."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.findings: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in ("style", "iframe", "object", "embed", "base"):
            self.findings.append(f"<{tag}>")
        if tag == "script" and not given.get("src") and given.get("type") != "application/json":
            self.findings.append("an inline <script>")
        for name, value in attributes:
            if name.startswith("on") or name in ("style", "srcdoc", "autofocus"):
                self.findings.append(f"<{tag} {name}={value!r}>")
            if name in ("href", "src", "action", "formaction") and (value or "").strip().lower().startswith(
                "javascript:"
            ):
                self.findings.append(f"<{tag} {name}={value!r}>")
