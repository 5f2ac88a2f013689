"""One OTLP request, from its headers to its answer. Knows no web framework and never raises.

What is cheap to look at comes first: who sends, how much, in which encoding. Nothing is read before the key is known,
nothing is stored before all of it was read.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from e2edebug.ingest import answers, json_spans
from e2edebug.ingest.answers import JSON, PROTOBUF, Answer
from e2edebug.ingest.body import Read, read_body
from e2edebug.ingest.browser_access import headers_for
from e2edebug.ingest.limits import Limits
from e2edebug.ingest.received_span import make_resource, make_span
from e2edebug.ingest.refusal import BadItem, Refusal
from e2edebug.ingest.seen_names import OF_BROWSERS, OF_SERVICES, SeenNames
from e2edebug.ingest.span_source import Group
from e2edebug.ingest.token_bucket import TokenBucket
from e2edebug.ingest.trust import Trust
from e2edebug.policy.config import Config
from e2edebug.policy.ingest_keys import IngestKey, find_key
from e2edebug.policy.self_report import internal_error
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.span_reading import is_stored
from e2edebug_instrumentation.correlation.id_reuse import IdReuse

REJECTED: Final = "rejected_by_ingest"
"""The reason in the books for spans that were refused, while others of their request were taken."""
SIGNALS: Final = ("traces",)

_BROWSER: Final = Limits(max_bytes=262_144, max_items=1000)
"""What browsers send in the background is at most 64 KiB (Fetch standard, "keepalive"); compressed, four times that."""
_AT_ONCE: Final = 2
"""Reading is work for the processor; more threads at it take memory, and are not faster."""
_WAIT_S: Final = 2.0
_RETRY_S: Final = 5
_BYTES_PER_SPAN: Final = 2900
_BYTES_PER_TOKEN: Final = 1024
"""Of a browser's rate: a KiB to be read counts as much as a span."""
_DAY_NS: Final = 86_400 * 10**9
"""How far the clock of a sender may be ahead. What lies further in the future would stand first in every list, for ever."""
_LOG_INTERVAL_S: Final = 60.0

logger = logging.getLogger("e2edebug.ingest")


@dataclass(frozen=True, slots=True)
class Request:
    """What a web server has of a request before its body is read."""

    method: str
    signal: str
    """What stands behind `v1/` in its path."""
    header: Callable[[str], str | None]
    """Gives the value of a header, by its name in any case."""
    read: Read | None
    """Reads the body; None: the server cannot tell where it ends."""


class Receiver:
    """Answers requests. Safe for threads.

    config, pipeline: those of the moment, asked for with each request; no pipeline means that nothing is recorded.
    """

    def __init__(
        self,
        *,
        config: Callable[[], Config],
        pipeline: Callable[[], Pipeline | None],
        now_unix_ns: Callable[[], int] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._pipeline = pipeline
        self._now_unix_ns = now_unix_ns
        self._clock = clock
        self._working = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._id_reuse: IdReuse | None = None
        self._seen = {
            "server": SeenNames(OF_SERVICES, clock=clock),
            "browser": SeenNames(OF_BROWSERS, clock=clock),
        }
        self._refused: Counter[int] = Counter()
        self._next_log_at = clock()

    def answer(self, request: Request) -> Answer:
        """Return what to answer."""
        media_type = _media_type(request)
        cors: dict[str, str] = {}
        try:
            config = self._config()
            cors = headers_for(request.header("Origin"), config.ingest_keys, is_preflight=request.method == "OPTIONS")
            found = self._answer(request, media_type, config)
            return Answer(found.status, {**found.headers, **cors}, found.body)
        except Refusal as refusal:
            self._note(refusal.status)
            return answers.failure(refusal.status, media_type or JSON, refusal.text, {**refusal.headers, **cors})
        except Exception as error:  # noqa: BLE001 # the edge to strangers: none of them may see a traceback
            internal_error("receive telemetry", error)
            return answers.failure(500, media_type or JSON, "the request could not be worked on", cors)

    def _answer(self, request: Request, media_type: str, config: Config) -> Answer:
        if not config.ingest_keys:
            raise Refusal(404, "nothing is received here: no key is set (E2EDEBUG_INGEST_KEYS)")
        if request.signal not in SIGNALS:
            raise Refusal(404, f"there is no such OTLP endpoint here, only {', '.join(f'v1/{one}' for one in SIGNALS)}")
        if request.method == "OPTIONS":
            return Answer(204, {"Content-Length": "0"}, b"")
        if request.method != "POST":
            raise Refusal(405, "OTLP requests are POST requests", headers={"Allow": "POST, OPTIONS"})
        key = _key(request, config)
        pipeline = self._pipeline()
        if pipeline is None:
            raise Refusal(503, "e2edebug is switched off here", retry_after_s=60)
        if not media_type:
            raise Refusal(415, f"Content-Type is neither {PROTOBUF} nor {JSON}")
        bucket = self._bucket_of(key, config)
        limits = _limits(key, config)
        if bucket is not None:
            _take(bucket, 1)
        body = self._body(request, limits)
        if bucket is not None:
            _take(bucket, len(body) / _BYTES_PER_TOKEN)
        if not self._working.acquire(timeout=_WAIT_S):
            raise Refusal(429, "too many requests at once", retry_after_s=_RETRY_S)
        try:
            return self._take(body, media_type, key, limits, pipeline, config, bucket)
        finally:
            self._working.release()

    def _body(self, request: Request, limits: Limits) -> bytes:
        encoding = (request.header("Content-Encoding") or "").strip().lower()
        if request.read is None:
            raise Refusal(411, "this server needs a Content-Length")
        return read_body(request.read, encoding=encoding, length=_length(request), limit_bytes=limits.max_bytes)

    def _take(
        self,
        body: bytes,
        media_type: str,
        key: IngestKey,
        limits: Limits,
        pipeline: Pipeline,
        config: Config,
        bucket: TokenBucket | None,
    ) -> Answer:
        rejected: Counter[str] = Counter()
        seen = self._seen[key.kind]
        seen.begin_day()
        trust = Trust(key, self._id_reuse_of(config), seen)
        spans = list(self._spans(_groups(body, media_type, limits), trust, rejected))
        if bucket is not None:
            bucket.charge(len(spans) + rejected.total() + trust.exceptions)
        kept = [span for span in spans if is_stored(span, pipeline.span_metrics.keeps_trace)]
        self._check_room(pipeline, len(kept), len(body))
        for span in kept:
            pipeline.put_span(span)
        pipeline.refuse(rejected.total(), REJECTED)
        return answers.success(media_type, rejected)

    def _spans(self, groups: Iterator[Group], trust: Trust, rejected: Counter[str]) -> Iterator[ReadableSpan]:
        latest = self._now_unix_ns() + _DAY_NS
        for group in groups:
            resource = make_resource(trust.service(group.resource))
            for read in group.readers:
                try:
                    words = read()
                    trust.limit(words)
                    yield make_span(words, resource, group.scope, latest_unix_ns=latest)
                except BadItem as bad:
                    rejected[str(bad)] += 1

    def _check_room(self, pipeline: Pipeline, spans: int, body_bytes: int) -> None:
        """Not what others send may push out of the queue what the application itself records."""
        if not pipeline.keeps_what_comes:
            raise Refusal(503, "the store cannot be reached, and there is no room on disk", retry_after_s=30)
        if spans and not pipeline.has_room_for(spans, spans * _BYTES_PER_SPAN + body_bytes):
            raise Refusal(429, "more waits to be written than this process keeps for others", retry_after_s=_RETRY_S)

    def _bucket_of(self, key: IngestKey, config: Config) -> TokenBucket | None:
        rate = config.ingest_browser_rate
        if key.kind != "browser" or rate is None:
            return None
        with self._lock:
            bucket = self._buckets.get((key.sha256, rate))
            if bucket is None:  # as many as there are keys, and once more when an operator changes the rate
                bucket = self._buckets[key.sha256, rate] = TokenBucket(rate, clock=self._clock)
            return bucket

    def _id_reuse_of(self, config: Config) -> IdReuse:
        with self._lock:
            if self._id_reuse is None:
                self._id_reuse = IdReuse(
                    max_traces=config.correlation_id_max_traces, max_age_s=config.correlation_id_max_age_s
                )
            return self._id_reuse

    def _note(self, status: int) -> None:
        """Say in the log that senders are refused, at most once a minute, however many there are."""
        with self._lock:
            self._refused[status] += 1
            if self._clock() < self._next_log_at:
                return
            self._next_log_at = self._clock() + _LOG_INTERVAL_S
            counts, self._refused = self._refused, Counter()
        told = ", ".join(f"{count} with {code}" for code, count in sorted(counts.items()))
        logger.warning("OTLP requests were refused: %s (logged at most once a minute)", told)


def _take(bucket: TokenBucket, count: float) -> None:
    wait_s = bucket.take(count)
    if wait_s:
        raise Refusal(429, "too much with this key", retry_after_s=int(wait_s) + 1)


def _groups(body: bytes, media_type: str, limits: Limits) -> Iterator[Group]:
    if media_type == JSON:
        return json_spans.read_groups(body, max_items=limits.max_items)
    try:
        from e2edebug.ingest import protobuf_spans
    except ImportError as error:  # protobuf comes with an extra; who sends JSON needs none
        raise Refusal(415, 'protobuf needs `pip install "e2edebug[server]"` here; JSON does not') from error
    return protobuf_spans.read_groups(body, max_items=limits.max_items)


def _limits(key: IngestKey, config: Config) -> Limits:
    if key.kind == "server":
        return Limits(config.ingest_max_bytes, config.ingest_max_items)
    return Limits(min(config.ingest_max_bytes, _BROWSER.max_bytes), min(config.ingest_max_items, _BROWSER.max_items))


def _key(request: Request, config: Config) -> IngestKey:
    token = request.header("X-E2E-Key") or ""
    if not token:
        scheme, _, credentials = (request.header("Authorization") or "").partition(" ")
        token = credentials.strip() if scheme.lower() == "bearer" else ""
    key = find_key(token, config.ingest_keys) if token else None
    if key is None:
        text = "the key is not known here" if token else "a key is missing (X-E2E-Key, or Authorization: Bearer)"
        raise Refusal(401, text, headers={"WWW-Authenticate": "Bearer"})
    origin = request.header("Origin")
    if key.kind == "browser" and (origin is None or origin.lower() not in key.origins):
        raise Refusal(403, "this key is for pages of other origins")
    if key.kind == "server" and origin is not None:
        raise Refusal(403, "a server's key does not belong into a browser: everybody could read it")
    return key


def _media_type(request: Request) -> str:
    """Return which of the two encodings the request is in, '' for none."""
    media_type, _, parameters = (request.header("Content-Type") or "").partition(";")
    media_type = media_type.strip().lower()
    if media_type == JSON:
        charset = parameters.strip().lower().replace('"', "")
        return JSON if charset in ("", "charset=utf-8", "charset=utf8") else ""
    return PROTOBUF if media_type == PROTOBUF else ""


def _length(request: Request) -> int | None:
    """Return what Content-Length says; None where the body comes in chunks, whatever else is said of its length."""
    if request.header("Transfer-Encoding"):
        return None
    text = (request.header("Content-Length") or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Refusal(400, "Content-Length is no number")
    return int(text)
