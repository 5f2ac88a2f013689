"""The shop's admin: what its README says to look at."""

import shutil
import subprocess
import sys
from pathlib import Path

from end_to_end.shop_run import SHOP, environment_of_shop

_VISIT = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
browser = Client()
assert browser.login(username="staff", password="correct horse")
for path in ("/admin/debugging/", "/admin/debugging/workflowsession/", "/static/debugging/admin.css"):
    response = browser.get(path)
    print(response.status_code, path)
"""


def test_the_staff_of_the_shop_can_look(tmp_path: Path, sqlite_shop: Path) -> None:
    shutil.copy(sqlite_shop, tmp_path)
    places = {"SHOP_WORK_FOLDER": str(tmp_path), "E2EDEBUG_DATABASE_URL": f"sqlite:///{tmp_path / 'e2edebug.sqlite3'}"}

    seen = subprocess.run(
        [sys.executable, "-c", _VISIT], cwd=SHOP, capture_output=True, text=True, timeout=120,
        env=environment_of_shop({**places, "DJANGO_SETTINGS_MODULE": "shop.settings"}),
    )  # fmt: skip

    assert seen.stdout.splitlines() == [
        "200 /admin/debugging/",
        "200 /admin/debugging/workflowsession/",
        "200 /static/debugging/admin.css",
    ], seen.stderr[-3000:]
