"""Where tasks wait for a worker: in a folder of the shop's, unless a broker is named."""

from pathlib import Path
from typing import Any

POLLING_INTERVAL_S = 0.2


def broker_settings(url: str | None, *, folder: Path) -> dict[str, Any]:
    """Return Celery's settings for the broker at *url*, None meaning a folder in *folder*."""
    if url:
        return {"CELERY_BROKER_URL": url}
    queue, control = folder / "tasks", folder / "tasks-control"
    for one in (queue, control):
        one.mkdir(parents=True, exist_ok=True)
    return {
        "CELERY_BROKER_URL": "filesystem://",
        "CELERY_BROKER_TRANSPORT_OPTIONS": {
            "data_folder_in": str(queue),
            "data_folder_out": str(queue),
            "control_folder": str(control),
            "polling_interval": POLLING_INTERVAL_S,
        },
    }
