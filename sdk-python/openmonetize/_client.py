"""The client classes: `OpenMonetize`, and `AsyncOpenMonetize` for asyncio."""

import asyncio
import functools
import logging
from typing import Any, AsyncIterator, Callable, Dict, Iterator, Mapping, Optional

from ._errors import ConfigurationError, OpenMonetizeError
from ._http import Http, Page
from ._queue import DEFAULT_MAX_BYTES, FLUSH_SECONDS, Queue
from ._resources import (
    Admin,
    Alerts,
    Analytics,
    ApiKeys,
    BurnTables,
    CreditPacks,
    Credits,
    Customers,
    DropIn,
    Entitlements,
    Events,
    GatewayRoutes,
    Holds,
    Ledger,
    Payments,
    Platform,
    PortalTokens,
    ProviderKeys,
    Rating,
    Teams,
    Users,
    WebhookDeliveries,
    WebhookEndpoints,
)
from ._store import Store
from ._stream import MAX_RETRIES, stream

OnError = Callable[[OpenMonetizeError, Optional[Mapping[str, Any]]], None]
_log = logging.getLogger("openmonetize")


class OpenMonetize:
    """A thread-safe client of OpenMonetize Edge. The constructor sends no request."""

    def __init__(
        self,
        api_key: Optional[str],
        base_url: str = "http://localhost:8787",
        *,
        timeout: float = 30.0,
        max_retries: int = 2,
        on_unavailable: str = "queue",
        on_error: Optional[OnError] = None,
        store: Optional[Store] = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_events: Optional[int] = None,
        interval: float = 1.0,
        batch_events: int = 500,
    ) -> None:
        if on_unavailable not in ("queue", "allow", "deny"):
            raise ConfigurationError(f"on_unavailable must be queue, allow or deny, not {on_unavailable!r}.")
        if not 1 <= batch_events <= 1000 or max_bytes < 1 or interval < 0:
            raise ConfigurationError(
                "batch_events must be from 1 to 1000, max_bytes at least 1, and interval at least 0, "
                f"not {batch_events!r}, {max_bytes!r} and {interval!r}."
            )
        http = Http(api_key, base_url, timeout, max_retries)
        self._http = http
        self._on_error = on_error
        self.events = Events(http)
        self.credits = Credits(http)
        self.ledger = Ledger(http)
        self.holds = Holds(http)
        self.entitlements = Entitlements(http)
        self.rating = Rating(http)
        self.burn_tables = BurnTables(http)
        self.analytics = Analytics(http)
        self.users = Users(http)
        self.teams = Teams(http)
        self.api_keys = ApiKeys(http)
        self.provider_keys = ProviderKeys(http)
        self.gateway_routes = GatewayRoutes(http)
        self.credit_packs = CreditPacks(http)
        self.payments = Payments(http)
        self.alerts = Alerts(http)
        self.portal_tokens = PortalTokens(http)
        self.drop_in = DropIn(http)
        self.webhook_endpoints = WebhookEndpoints(http)
        self.webhook_deliveries = WebhookDeliveries(http)
        self.customers = Customers(http)
        self.platform = Platform(http)
        self.admin = Admin(http)
        self._queue = Queue(
            http, self._report, on_unavailable, store, max_bytes, max_events, interval, batch_events
        )

    def stream(self, after: Optional[int] = None, max_retries: int = MAX_RETRIES) -> Iterator[Dict[str, Any]]:
        """Iterates over the notifications as they happen, in order, without gaps or repeats.

        After a connection ends or fails, connects again and continues after the last notification. Begins after the
        sequence `after`; 0 begins with the oldest stored notification. Without `after`, begins with the next
        notification. Raises an error after which a retry cannot succeed, and the last error after more than
        `max_retries` consecutive failures.
        """
        return stream(self._http, after, max_retries)

    def track(self, event: Mapping[str, Any]) -> bool:
        """Queues an event and returns at once. If the event is not queued, returns False and calls `on_error`.

        With `on_unavailable="deny"`, raises an error while events cannot be delivered.
        """
        return self._queue.track(event)

    def flush(self, timeout: float = FLUSH_SECONDS) -> None:
        """Sends the events tracked so far. Raises an error if some of them are still queued after `timeout` seconds.

        Raises earlier if a retry cannot succeed.
        """
        self._queue.flush(timeout)

    def close(self, timeout: float = FLUSH_SECONDS) -> None:
        """Sends the queued events, and refuses events that are tracked later. Raises like `flush`."""
        self._queue.close(timeout)

    def stats(self) -> Dict[str, int]:
        """Returns the number of events in each state: `queued`, `sent`, `dropped` and `rejected`."""
        return self._queue.stats()

    def __enter__(self) -> "OpenMonetize":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _report(self, error: OpenMonetizeError, event: Optional[Mapping[str, Any]]) -> None:
        try:
            if self._on_error is not None:
                self._on_error(error, event)
            else:
                _log.warning("%s", error)
        except Exception:
            _log.exception("on_error failed")


class AsyncOpenMonetize:
    """A client for asyncio with the methods of `OpenMonetize`. Each call runs in a thread and must be awaited.

    `track` and `stats` are not awaited. `stream` is an async iterator.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self.sync = OpenMonetize(*args, **options)
        self.track = self.sync.track
        self.stats = self.sync.stats

    async def stream(
        self, after: Optional[int] = None, max_retries: int = MAX_RETRIES
    ) -> AsyncIterator[Dict[str, Any]]:
        """Iterates like `OpenMonetize.stream`. A cancelled task closes its connection at the next notification."""
        notifications = self.sync.stream(after, max_retries)
        while True:
            yield await _in_thread(functools.partial(next, notifications))

    def __getattr__(self, name: str) -> Any:
        return _awaitable(getattr(self.sync, name))

    async def __aenter__(self) -> "AsyncOpenMonetize":
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await _in_thread(self.sync.close)


class _Awaitable:
    """A resource whose methods are awaitable."""

    def __init__(self, resource: object) -> None:
        self._resource = resource

    def __getattr__(self, name: str) -> Any:
        return _awaitable(getattr(self._resource, name))


def _awaitable(value: Any) -> Any:
    if not callable(value):
        return _Awaitable(value)

    @functools.wraps(value)
    async def call(*args: Any, **named: Any) -> Any:
        answer = await _in_thread(functools.partial(value, *args, **named))
        # Reads all pages in a thread, because the requests would block the event loop.
        return await _in_thread(lambda: list(answer)) if isinstance(answer, Page) else answer

    return call


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work)
