"""The stream of notifications."""

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any, Dict, Iterator, Optional, Tuple

from ._errors import ConnectionFailedError, InvalidResponseError, OpenMonetizeError
from ._http import MAX_ANSWER_BYTES, Http, backoff

MAX_RETRIES = 10
LONGEST_BACKOFF = 30.0
#: The wait, in seconds, before the next connection after the server has closed one.
RECONNECT = 1.0
#: The time without data, in seconds, after which a connection is closed. The server sends a comment every 15 seconds.
SILENCE = 45.0
#: The maximum length of a line, in bytes. The server's lines are much shorter.
MAX_LINE_BYTES = 1024 * 1024


def stream(http: Http, after: Optional[int], max_retries: int = MAX_RETRIES) -> Iterator[Dict[str, Any]]:
    failures = 0
    while True:
        wait = RECONNECT
        try:
            for id, data in _events(http, after):
                failures = 0
                if data is not None and (after is None or id > after):
                    after = id
                    yield json.loads(data)
                if after is None:
                    after = id
        except OpenMonetizeError as error:
            if not error.retryable or failures >= max_retries:
                raise
            wait = max(error.retry_after or 0.0, backoff(failures, LONGEST_BACKOFF))
            failures += 1
        time.sleep(wait)


def _events(http_: Http, after: Optional[int]) -> Iterator[Tuple[int, Optional[str]]]:
    """Yields the id and data of each event of one connection. The first event can have only an id."""
    query = "" if after is None else f"?after={int(after)}"
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {http_.api_key}"}
    request = urllib.request.Request(f"{http_.base_url}/v1/stream{query}", headers=headers)
    try:
        with http_._opener.open(request, timeout=SILENCE) as response:
            if "event-stream" not in (response.headers.get("Content-Type") or ""):
                raise InvalidResponseError("invalid_response", "The response is not an event stream. Check base_url.")
            fields: Dict[str, str] = {}
            while True:
                line = response.readline(MAX_LINE_BYTES)
                if len(line) >= MAX_LINE_BYTES:
                    detail = f"An event of the stream has a line of {MAX_LINE_BYTES} bytes or more."
                    raise InvalidResponseError("invalid_response", detail)
                if not line.endswith(b"\n"):
                    return
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                    continue
                if "id" in fields:
                    yield int(fields["id"]), fields.get("data")
                fields = {}
    except urllib.error.HTTPError as error:
        with error:
            http_._answer(error.code, error.headers, error.read(MAX_ANSWER_BYTES + 1))
    except (OSError, http.client.HTTPException) as error:
        detail = f"The stream of {http_.base_url} failed: {error}"
        raise ConnectionFailedError("connection_failed", detail, retryable=True) from error
