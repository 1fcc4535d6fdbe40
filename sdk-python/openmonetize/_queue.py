"""The queue of `track`, which sends events in the background. An event keeps its id on every attempt and restart."""

import atexit
import collections
import json
import threading
import time
import uuid
from datetime import datetime, timezone
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Sequence, Tuple

from ._errors import ConfigurationError, OpenMonetizeError, RequestTimeoutError, ServerError, api_error
from ._http import Http, backoff, json_text
from ._store import Queued, Store

Event = Mapping[str, Any]
Report = Callable[[OpenMonetizeError, Optional[Event]], None]

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
BATCH_BYTES = 1_000_000
MAX_EVENT_BYTES = 3_900_000
LONGEST_BACKOFF = 10.0
FLUSH_SECONDS = 30.0
LAST_FLUSH_SECONDS = 5.0

#: The HTTP status of a rejection inside a batch, by code. All other codes have status 400.
_STATUS = {
    "insufficient_credits": 402,
    "limit_reached": 402,
    "insufficient_scope": 403,
    "customer_mismatch": 403,
    "feature_not_allowed": 403,
    "idempotency_mismatch": 422,
    "unpriced_model": 422,
    "unknown_provider": 422,
    "rate_limited": 429,
    "quota_exceeded": 429,
    "overloaded": 503,
    "unavailable": 503,
}


class _Waiting:
    __slots__ = ("id", "text", "size", "retimable")

    def __init__(self, id: str, text: str, retimable: bool) -> None:
        self.id = id
        self.text = text
        self.size = len(text.encode())
        self.retimable = retimable


class Queue:
    """A thread-safe queue. It sends the oldest events first. Only one thread at a time sends events."""

    def __init__(
        self,
        http: Http,
        report: Report,
        on_unavailable: str = "queue",
        store: Optional[Store] = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_events: Optional[int] = None,
        interval: float = 1.0,
        batch_events: int = 500,
    ) -> None:
        self._http = http
        self._report = report
        self._on_unavailable = on_unavailable
        self._store = store
        self._max_bytes = max_bytes
        self._max_events = max_events
        self._interval = interval
        self._batch_events = batch_events
        self._batch_limit = batch_events
        self._waiting: Deque[_Waiting] = collections.deque()
        self._bytes = 0
        self._stats = {"sent": 0, "dropped": 0, "rejected": 0}
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._batch: Optional[Tuple[List[_Waiting], str, bytes]] = None
        self._failures = 0
        self._next_attempt = 0.0
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._prefix = uuid.uuid4().hex
        self._counter = 0
        self.failure: Optional[OpenMonetizeError] = None
        loaded: List[Queued] = []
        self._change_store(lambda kept: loaded.extend(kept.load()))
        for id, text in loaded:
            self._add(_Waiting(id, text, False))
        if self._waiting:
            self._start()

    def track(self, event: Event) -> bool:
        if self._on_unavailable == "deny" and self.failure is not None:
            detail = "Events cannot be sent, and on_unavailable is deny."
            raise ServerError("unavailable", detail, retryable=True) from self.failure
        failed: Optional[OpenMonetizeError] = None
        problem: Optional[OpenMonetizeError] = None
        with self._changed:
            self._counter += 1
            id = event.get("idempotency_key") if isinstance(event, Mapping) else None
            id = id if isinstance(id, str) and id else f"{self._prefix}-{self._counter:x}"
            try:
                full = {"timestamp": _now(), **event, "idempotency_key": id}
                waiting = _Waiting(id, json_text(full), event.get("timestamp") is None)
            except (TypeError, ValueError, RecursionError) as error:
                self._stats["rejected"] += 1
                problem = ConfigurationError(f"The event is not a JSON object: {error}")
            else:
                problem = self._problem(waiting)
                if problem is None:
                    failed = self._store_failure(lambda kept: kept.append([(waiting.id, waiting.text)]))
                    self._add(waiting)
                    self._start()
                    self._changed.notify_all()
                else:
                    self._stats["dropped"] += 1
        if failed is not None:
            self._report(failed, None)
        if problem is None:
            return True
        self._report(problem, event)
        return False

    def flush(self, timeout: float = FLUSH_SECONDS) -> None:
        deadline = time.monotonic() + timeout
        with self._changed:
            target = self._done() + len(self._waiting)
        while self._done() < target and self._waiting:
            self._drain()
            if self._done() >= target or not self._waiting:
                break
            failure = self.failure
            if failure is not None and not failure.retryable:
                raise failure
            now = time.monotonic()
            if now >= deadline:
                detail = f"{len(self._waiting)} events are still queued after {timeout} s."
                raise failure or RequestTimeoutError("timeout", detail, retryable=True)
            time.sleep(min(max(self._next_attempt - now, 0.005), deadline - now))
        self._change_store(lambda kept: kept.sync())

    def close(self, timeout: float = FLUSH_SECONDS) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        try:
            self.flush(timeout)
        finally:
            atexit.unregister(self._at_exit)
            if self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join(timeout)
            self._change_store(lambda kept: kept.close())

    def stats(self) -> Dict[str, int]:
        with self._changed:
            return {"queued": len(self._waiting), **self._stats}

    def _store_failure(self, change: Callable[[Store], None]) -> Optional[OpenMonetizeError]:
        """Changes the store. Returns the error if the change fails. The queue keeps the events in memory."""
        try:
            with self._changed:
                if self._store is not None:
                    change(self._store)
            return None
        except Exception as error:
            failure = OpenMonetizeError("store_failed", f"The store of the queue failed: {error}")
            failure.__cause__ = error
            return failure

    def _change_store(self, change: Callable[[Store], None]) -> None:
        failure = self._store_failure(change)
        if failure is not None:
            self._report(failure, None)

    def _add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._bytes += waiting.size

    def _problem(self, waiting: _Waiting) -> Optional[OpenMonetizeError]:
        if self._closed:
            return OpenMonetizeError("queue_full", "The client is closed.")
        if waiting.size > MAX_EVENT_BYTES:
            detail = f"The event has {waiting.size} bytes; at most {MAX_EVENT_BYTES} can be sent."
            return OpenMonetizeError("queue_full", detail)
        too_many = self._max_events is not None and len(self._waiting) >= self._max_events
        if too_many or self._bytes + waiting.size > self._max_bytes:
            detail = "The queue would exceed max_bytes or max_events."
            return OpenMonetizeError("queue_full", detail, retryable=True)
        return None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="openmonetize", daemon=True)
            self._thread.start()
            atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        try:
            self.flush(LAST_FLUSH_SECONDS)
        except OpenMonetizeError:
            # Unsent events stay in the store, if the queue has one.
            pass

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                if not self._closed and len(self._waiting) < self._batch_limit:
                    self._changed.wait(self._interval)
            try:
                self._drain()
            except Exception as error:  # The thread continues after an exception of a store or a callback.
                self._report(OpenMonetizeError("store_failed", f"The queue or its store failed: {error}"), None)
            with self._changed:
                if self._closed and (not self._waiting or self.failure is not None):
                    return
            pause = self._next_attempt - time.monotonic()
            if pause > 0:
                time.sleep(min(pause, 0.5 if self._closed else LONGEST_BACKOFF))

    def _drain(self) -> None:
        with self._sending:
            while self._waiting and time.monotonic() >= self._next_attempt:
                if not self._deliver():
                    return

    def _take(self) -> Tuple[List[_Waiting], str, bytes]:
        with self._changed:
            events: List[_Waiting] = []
            size = 0
            for waiting in self._waiting:
                size += waiting.size + 1
                if len(events) >= self._batch_limit or (events and size > BATCH_BYTES):
                    break
                events.append(waiting)
        body = '{"events":[' + ",".join(waiting.text for waiting in events) + "]}"
        return events, uuid.uuid4().hex, body.encode()

    def _deliver(self) -> bool:
        """Sends a batch once. Returns False if the queue must wait before it sends the next batch."""
        if self._batch is None:
            self._batch = self._take()
        events, key, body = self._batch
        try:
            answer = self._http.send("POST", "/v1/events/ingest", body, key, max_retries=0)
            results = answer.get("results")
            if not isinstance(results, list) or len(results) != len(events):
                detail = "The response does not have a result for each event."
                raise ServerError("invalid_response", detail, retryable=True)
        except OpenMonetizeError as error:
            return self._not_delivered(events, error)
        again = self._settle(events, results)
        self._batch = None
        if again is not None:
            return self._failed(again)
        self._failures, self.failure, self._next_attempt = 0, None, 0.0
        self._batch_limit = self._batch_events
        return True

    def _not_delivered(self, events: List[_Waiting], error: OpenMonetizeError) -> bool:
        # If the server refuses the whole request, the queue sends half of the events at a time until it finds the event
        # at fault.
        if error.status in (400, 413, 422):
            self._batch = None
            if len(events) == 1:
                self._reject(events[0], error)
            else:
                self._batch_limit = (len(events) + 1) // 2
            return True
        if self._on_unavailable == "allow" and self._failures >= self._http.max_retries:
            self._batch = None
            self._forget(events, "dropped")
            for waiting in events:
                self._report(error, json.loads(waiting.text))
            return True
        return self._failed(error)

    def _settle(self, events: List[_Waiting], results: List[Any]) -> Optional[OpenMonetizeError]:
        delivered: List[_Waiting] = []
        again: Optional[OpenMonetizeError] = None
        for waiting, result in zip(events, results):
            if result.get("status") != "rejected":
                delivered.append(waiting)
                continue
            problem = result.get("error") or {}
            code, detail = str(problem.get("code", "rejected")), str(problem.get("detail", "No detail."))
            error = api_error(_STATUS.get(code, 400), {"code": code, "detail": detail})
            if error.retryable:
                again = error
            elif waiting.retimable and code == "invalid_request" and "/timestamp" in detail:
                self._leave_out_time(waiting)
            else:
                self._reject(waiting, error)
        self._forget(delivered, "sent")
        return again

    def _leave_out_time(self, waiting: _Waiting) -> None:
        """Removes a refused timestamp from an event. The server then uses the time at which it receives the event."""
        event = json.loads(waiting.text)
        event.pop("timestamp", None)
        waiting.text = json_text(event)
        waiting.retimable = False
        self._change_store(lambda kept: kept.append([(waiting.id, waiting.text)]))

    def _reject(self, waiting: _Waiting, error: OpenMonetizeError) -> None:
        self._change_store(lambda kept: kept.reject((waiting.id, waiting.text), str(error)))
        self._forget([waiting], "rejected")
        self._report(error, json.loads(waiting.text))

    def _forget(self, events: Sequence[_Waiting], outcome: str) -> None:
        with self._changed:
            gone = set(map(id, events))
            kept: List[_Waiting] = []
            left = len(gone)
            while left and self._waiting:
                waiting = self._waiting.popleft()
                if id(waiting) in gone:
                    left -= 1
                    self._bytes -= waiting.size
                else:
                    kept.append(waiting)
            self._waiting.extendleft(reversed(kept))
            self._stats[outcome] += len(events)
            self._changed.notify_all()
        if events:
            self._change_store(lambda kept: kept.remove([waiting.id for waiting in events]))

    def _failed(self, error: OpenMonetizeError) -> bool:
        # Reports each outage once.
        if self._failures == 0:
            self._report(error, None)
        wait = max(backoff(self._failures, LONGEST_BACKOFF), error.retry_after or 0.0)
        self._failures += 1
        self.failure = error
        self._next_attempt = time.monotonic() + wait
        return False

    def _done(self) -> int:
        return sum(self._stats.values())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
