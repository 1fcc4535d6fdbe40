"""Tests the stream of notifications with the server at METER_URL."""

import asyncio
import http.server
import os
import threading
import unittest
import uuid
from typing import List

from openmonetize import AsyncOpenMonetize, InvalidApiKeyError, OpenMonetize, ServerError

URL = os.environ.get("METER_URL", "http://localhost:8787")
TOKEN = os.environ.get("OPERATOR_TOKEN", "dev-operator-token")


def new_key() -> str:
    email = f"{uuid.uuid4()}@example.com"
    return str(OpenMonetize(TOKEN, URL).customers.register({"name": "stream", "email": email})["api_key"])


class Scripted(http.server.BaseHTTPRequestHandler):
    """A server that sends one event on each connection and then closes it. The server refuses the second connection."""

    paths: List[str] = []

    def do_GET(self) -> None:
        self.paths.append(self.path)
        number = len(self.paths)
        self.send_response(503 if number == 2 else 200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if number != 2:
            text = f'id: {number}\n\n:\n\nid: {number + 1}\nevent: x\ndata: {{"sequence": {number + 1}}}\n\nid: 9\ndata: '
            self.wfile.write(text.encode())

    def log_message(self, *_args: object) -> None:
        pass


class Stream(unittest.TestCase):
    def test_returns_all_notifications_in_order(self) -> None:
        om = OpenMonetize(new_key(), URL)
        for amount in (1, 2):
            om.credits.grant({"amount": amount})
        notifications = om.stream(after=0)
        seen = [next(notifications) for _ in range(3)]
        self.assertEqual([one["sequence"] for one in seen], [1, 2, 3])
        self.assertEqual(seen[2]["data"]["amount"], 2)

    def test_reconnects_after_the_last_notification(self) -> None:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            om = OpenMonetize("om_live_x", f"http://127.0.0.1:{server.server_address[1]}")
            notifications = om.stream()
            self.assertEqual([next(notifications)["sequence"] for _ in range(3)], [2, 4, 5])
            self.assertEqual(
                Scripted.paths,
                ["/v1/stream", "/v1/stream?after=2", "/v1/stream?after=2", "/v1/stream?after=4"],
            )
        finally:
            server.shutdown()
            server.server_close()

    def test_raises_errors_that_a_retry_cannot_solve(self) -> None:
        with self.assertRaises(InvalidApiKeyError):
            next(OpenMonetize(new_key()[:-1] + "x", URL).stream())

    def test_is_an_async_iterator(self) -> None:
        async def first() -> int:
            async for notification in AsyncOpenMonetize(new_key(), URL).stream(after=0):
                return int(notification["sequence"])
            return 0

        self.assertEqual(asyncio.run(first()), 1)
