"""Requests with retries. All attempts send the same bytes and idempotency key.

The wait before a retry is random, but not shorter than `Retry-After`.
"""

import http.client
import json
import random
import re
import socket
import time
import urllib.error
import urllib.request
import uuid
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import quote, urlencode, urlsplit

from ._errors import (
    ConfigurationError,
    ConnectionFailedError,
    InvalidResponseError,
    OpenMonetizeError,
    RequestTimeoutError,
    api_error,
    is_retryable,
)

Json = Dict[str, Any]

LONGEST_WAIT = 60.0
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 8.0
_SURROGATE = re.compile("[\ud800-\udfff]")
#: The maximum size of a response, in bytes. The API's largest response is much smaller.
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class Page:
    """A list that is requested on first use.

    `.data` and `.next_cursor` are from its first page. Iteration covers the rows of all pages.
    """

    def __init__(self, read: Callable[[Optional[str]], Json]) -> None:
        self._read = read
        self._first: Optional[Json] = None

    def _page(self) -> Json:
        if self._first is None:
            self._first = self._read(None)
        return self._first

    @property
    def data(self) -> List[Json]:
        return list(self._page()["data"])

    @property
    def next_cursor(self) -> Optional[str]:
        return self._page().get("next_cursor")

    def __iter__(self) -> Iterator[Json]:
        page = self._page()
        while True:
            yield from page["data"]
            cursor = page.get("next_cursor")
            if not cursor:
                return
            page = self._read(cursor)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would send the API key to another address."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


def backoff(attempt: int, longest: float) -> float:
    return random.uniform(0, min(longest, FIRST_BACKOFF * 2**attempt))


def json_text(value: Any) -> str:
    """Returns a value as JSON. Escapes lone surrogates as JavaScript does, because UTF-8 cannot encode them."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def path_of(path: str, id: str) -> str:
    """Inserts an id into a path. Rejects an id that a URL cannot contain or that would change the path's segments."""
    if not isinstance(id, str) or id in ("", ".", "..") or _SURROGATE.search(id):
        raise ConfigurationError(f"{id!r} is not an id for {path}.")
    return path.replace("{id}", quote(id, safe=""))


def _header(name: str, value: str) -> str:
    if not isinstance(value, str) or not re.fullmatch("[ -~]{1,255}", value):
        raise ConfigurationError(f"{name} must be 1 to 255 printable ASCII characters, not {value!r}.")
    return value


class Http:
    def __init__(self, api_key: Optional[str], base_url: str, timeout: float, max_retries: int) -> None:
        if api_key is not None and not (
            isinstance(api_key, str) and api_key and all("!" <= character <= "~" for character in api_key)
        ):
            raise ConfigurationError("api_key must be a key without spaces, such as om_live_…, or None.")
        parts = urlsplit(base_url) if isinstance(base_url, str) else None
        if not parts or parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            detail = f"base_url must be an http or https URL without a query or hash, not {base_url!r}."
            raise ConfigurationError(detail)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
            raise ConfigurationError(f"timeout must be a positive number of seconds, not {timeout!r}.")
        if isinstance(max_retries, bool) or not isinstance(max_retries, int) or not 0 <= max_retries <= 20:
            raise ConfigurationError(f"max_retries must be a whole number from 0 to 20, not {max_retries!r}.")
        self.api_key = api_key
        self.base_url = base_url.rstrip("/")
        self.timeout = float(timeout)
        self.max_retries = max_retries
        self._opener = urllib.request.build_opener(_NoRedirects)

    def call(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]] = None,
        query: Optional[Mapping[str, Any]] = None,
        idempotency_key: Optional[str] = None,
        request_id: Optional[str] = None,
    ) -> Json:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        for name, value in given.items():
            if _SURROGATE.search(str(value)):
                raise ConfigurationError(f"{name} must not have lone surrogates: {value!r}.")
        if given:
            path += "?" + urlencode(given)
        data = None if body is None else json_text(body).encode()
        return self.send(method, path, data, idempotency_key, request_id)

    def list(self, path: str, query: Optional[Mapping[str, Any]] = None) -> Page:
        params = dict(query or {})
        return Page(
            lambda cursor: self.call("GET", path, query=params if cursor is None else {**params, "cursor": cursor})
        )

    def send(
        self,
        method: str,
        path: str,
        data: Optional[bytes],
        idempotency_key: Optional[str] = None,
        request_id: Optional[str] = None,
        max_retries: Optional[int] = None,
    ) -> Json:
        headers = {"Accept": "application/json"}
        # A registration accepts the operator token or no key, so a customer's key is not sent.
        is_foreign = path == "/v1/customers/register" and (self.api_key or "").startswith("om_")
        if self.api_key is not None and not is_foreign:
            headers["Authorization"] = f"Bearer {self.api_key}"
        if data is not None:
            headers["Content-Type"] = "application/json"
        if method != "GET":
            headers["Idempotency-Key"] = _header("idempotency_key", idempotency_key or uuid.uuid4().hex)
        if request_id is not None:
            headers["X-Request-Id"] = _header("request_id", request_id)
        retries = self.max_retries if max_retries is None else max_retries
        attempt = 0
        while True:
            try:
                return self._attempt(method, path, data, headers)
            except OpenMonetizeError as error:
                wait = max(error.retry_after or 0.0, backoff(attempt, LONGEST_BACKOFF))
                if not error.retryable or attempt >= retries or wait > LONGEST_WAIT:
                    raise
            attempt += 1
            time.sleep(wait)

    def _attempt(self, method: str, path: str, data: Optional[bytes], headers: Mapping[str, str]) -> Json:
        request = urllib.request.Request(self.base_url + path, data=data, headers=dict(headers), method=method)
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return self._answer(response.status, response.headers, response.read(MAX_ANSWER_BYTES + 1))
        except urllib.error.HTTPError as error:
            with error:
                return self._answer(error.code, error.headers, error.read(MAX_ANSWER_BYTES + 1))
        except (socket.timeout, TimeoutError) as error:
            raise self._late() from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, (socket.timeout, TimeoutError)):
                raise self._late() from error
            raise self._unreachable(error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            # The connection is interrupted before or during the response.
            raise self._unreachable(error) from error

    def _late(self) -> OpenMonetizeError:
        detail = f"{self.base_url} sent no data for {self.timeout} s."
        return RequestTimeoutError("timeout", detail, retryable=True)

    def _unreachable(self, reason: object) -> OpenMonetizeError:
        detail = f"The request to {self.base_url} failed: {reason}"
        return ConnectionFailedError("connection_failed", detail, retryable=True)

    def _answer(self, status: int, headers: Any, raw: bytes) -> Json:
        request_id = headers.get("X-Request-Id")
        retry_after = _seconds(headers.get("Retry-After"))
        is_json, body = _parse(headers.get("Content-Type") or "", raw)
        is_ok = 200 <= status < 300
        if is_ok and isinstance(body, dict):
            return body
        if is_ok and not raw:
            return {}
        if not is_ok and isinstance(body, dict) and isinstance(body.get("code"), str):
            raise api_error(status, body, request_id, retry_after)
        shown = " ".join(raw[:400].decode(errors="replace").split())[:200]
        raise InvalidResponseError(
            "invalid_response",
            f"The response is too long, incomplete or not from the API. Check base_url. {shown}".strip(),
            status=status,
            request_id=request_id,
            retry_after=retry_after,
            # The server stores the response under the key, so a retry after a truncated body gets the same response.
            retryable=is_json if is_ok else is_retryable(status),
        )


def _parse(content_type: str, raw: bytes) -> Tuple[bool, Any]:
    is_json = "/json" in content_type or "+json" in content_type
    if not is_json or len(raw) > MAX_ANSWER_BYTES:
        return is_json, None
    try:
        return True, json.loads(raw)
    except ValueError:
        return True, None


def _seconds(text: Optional[str]) -> Optional[float]:
    """Returns the wait that `Retry-After` requests, in seconds; None without a valid header.

    The header is a number of seconds or a date.
    """
    if text is None:
        return None
    try:
        if text.isdigit():
            return float(text)
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
