"""`make test-browser`: every page of the admin, full of hostile strings, in a real Chromium under a strict policy.

A hostile string that is obeyed opens a dialog; one that becomes a tag, a style or a handler breaks the policy. Both are
listened for on every page. That the listening works is shown first, on a page that is vulnerable on purpose.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser.chromium import Browser, Seen, chromium
from django_app.admin_project import APPS, FILES, MIDDLEWARE, SETTINGS
from django_app.hostile_rows import insert_hostile_rows
from django_app.project import Project

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate

_URLS = """
    from django.contrib import admin
    from django.http import HttpResponse
    from django.urls import path

    def vulnerable(request):
        return HttpResponse("<script>alert(1)</script><img src=x onerror=alert(2)><b style='color:red'>" + "a</b>")

    def unprotected(request):
        response = HttpResponse("<script>setTimeout(function () { alert(1) }, 0)</script>")
        response.no_policy = True
        return response

    urlpatterns = [path("admin/", admin.site.urls), path("vulnerable/", vulnerable), path("unprotected/", unprotected)]
"""
_POLICY = FILES["stranger/policy.py"].replace(
    'response["Content-Security-Policy"] = POLICY',
    'if not hasattr(response, "no_policy"):\n                    response["Content-Security-Policy"] = POLICY',
)
_SERVE = """
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments): pass

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

from django.conf import settings
settings.DEBUG = True  # for the static files alone
User.objects.create_superuser("root", "", "root")
server = make_server("127.0.0.1", 0, StaticFilesHandler(get_wsgi_application()), server_class=Server, handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
"""
_PATHS = """
import json
from django.apps import apps
from stranger.visit import MODELS, page
paths = ["/admin/", "/admin/debugging/"]
for model in MODELS:
    rows = list(apps.get_model("debugging", model).objects.all())
    paths += [page(model), page(model, "?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"), page(model, f"{rows[0].pk}/history/")]
    paths += [page(model, f"{row.pk}/change/") for row in rows]
paths += [page("performancethreshold", "add/"), page("debugconfiguration", "add/"),
          page("workflowsession", "of/?id=%3Cscript%3Ealert(1)%3C/script%3E")]
print(json.dumps(paths))
"""


def main() -> int:
    """Visit every page; 0 when none opened a dialog or broke the policy."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.sqlite3"
        engine = create_store_engine(url)
        migrate(engine)
        insert_hostile_rows(engine)
        engine.dispose()
        project = Project(
            Path(folder) / "project", apps=APPS, middleware=MIDDLEWARE, settings=SETTINGS,
            files=FILES | {"stranger/urls.py": _URLS, "stranger/policy.py": _POLICY},
        )  # fmt: skip
        environ = {"E2EDEBUG_DATABASE_URL": url}
        project.manage("migrate", "--verbosity", "0", "--skip-checks", environ=environ)
        paths = project.python(_PATHS, environ=environ)
        with _served(project, url) as address, chromium() as browser:
            if not _listening_works(browser, address):
                return 1
            return _visited(browser, address, paths)


def _listening_works(browser: Browser, address: str) -> bool:
    """A test that hears nothing proves nothing."""
    under_policy, without = browser.visit(f"{address}/vulnerable/"), browser.visit(f"{address}/unprotected/")
    works = len(under_policy.violations) >= 3 and bool(without.dialogs)
    if not works:
        print(f"FAIL a page that is vulnerable on purpose was not noticed: {under_policy} {without}")
    return works


def _visited(browser: Browser, address: str, paths: list[str]) -> int:
    browser.log_in(f"{address}/admin/login/", "root", "root")
    troubles: dict[str, Seen] = {}
    for path in paths:
        seen = browser.visit(address + path)
        if seen.dialogs or seen.violations or not seen.is_admin_page:
            troubles[path] = seen
            print(f"FAIL {path}: {seen}", flush=True)
    print(f"{len(paths)} pages in {browser.version}: {len(troubles)} with a dialog or a violation of the policy")
    return 1 if troubles else 0


@contextmanager
def _served(project: Project, url: str) -> Iterator[str]:
    source = "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'stranger.settings'\nimport django\ndjango.setup()\n"
    server = subprocess.Popen(
        [sys.executable, "-c", source + _SERVE], cwd=project.folder, stdout=subprocess.PIPE, text=True,
        env=project.environment({"E2EDEBUG_DATABASE_URL": url}),
    )  # fmt: skip
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    sys.exit(main())
