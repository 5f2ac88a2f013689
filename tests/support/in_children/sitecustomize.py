"""On the path of child processes of the fault matrix: measures there as well what the host pays (support/host_calls.py)."""

import os
import sys
from pathlib import Path

if os.environ.get("E2EDEBUG_TEST_HOST_CALLS"):
    import wrapt

    @wrapt.when_imported("e2edebug_exporters.pipeline")
    def _measure(_: object) -> None:
        sys.path.append(str(Path(__file__).parents[2]))
        from support.host_calls import measure_in_this_process

        measure_in_this_process()
