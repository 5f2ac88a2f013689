"""A process that exports blocks of spans with one exporter or another when it is told to: `python -m … SITE_URL SINK_URL`.

For counting its instructions: nothing else happens in it meanwhile.
"""

import gc
import sys
from contextlib import ExitStack

from benchmarks.exporter_thread import BATCH, OURS, all_peers, as_the_sdk_gives_it, nothing_else_traced
from benchmarks.recorded_requests.recording import Recorder
from opentelemetry.sdk.trace.export import SpanExportResult

BLOCKS = 5


def main(site_url: str, sink_url: str, store_url_of: dict[str, str]) -> None:
    """Answer each line `NAME FIRST COUNT` once that exporter has taken COUNT blocks from the one numbered FIRST on."""
    recorder = Recorder(site_url, sink_url)
    blocks = [recorder.spans(BATCH) for _ in range(BLOCKS)]
    recorder.close()
    with ExitStack() as stack:
        exporters = {name: module.exporter(store_url_of[name], sink_url) for name, module in all_peers()}
        for exporter in exporters.values():
            stack.callback(exporter.shutdown)
        stack.enter_context(nothing_else_traced())
        copies = [[as_the_sdk_gives_it(span) for span in block] for block in blocks]
        gc.collect()
        gc.freeze()
        print("ready", flush=True)
        for line in sys.stdin:
            name, first, count = line.split()
            for number in range(int(first), int(first) + int(count)):
                spans = blocks[number] if name == OURS else copies[number]
                if exporters[name].export(spans) is not SpanExportResult.SUCCESS:
                    raise RuntimeError(f"{name} did not take the spans")
            print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], dict(pair.split("=", 1) for pair in sys.argv[3:]))
