"""Tests `track` against the real server, through a proxy that loses responses, and with a process that is killed."""

import hashlib
import hmac
import base64
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from typing import Any, Callable, Dict, List, Tuple
from urllib.parse import urlsplit

from openmonetize import (
    ConfigurationError,
    ConnectionFailedError,
    FileStore,
    InvalidResponseError,
    OpenMonetize,
    OpenMonetizeError,
    ServerError,
    WebhookVerificationError,
    verify_webhook,
)

URL = os.environ.get("METER_URL", "http://localhost:8787")
TOKEN = os.environ.get("OPERATOR_TOKEN", "dev-operator-token")
Plan = Callable[[int], Any]


def event(number: int, **more: Any) -> Dict[str, Any]:
    return {"event_type": "TOKEN_USAGE", "feature_id": "chat", "provider": "OPENAI", "model": "gpt-4o",
            "input_tokens": 200, "metadata": {"number": number}, **more}


class Proxy:
    """A proxy to the server. Its `plan` relays a request, loses it or its response, or sends another response."""

    def __init__(self, plan: Plan = lambda _number: "pass") -> None:
        self.plan = plan
        self.seen: List[Tuple[Dict[str, str], bytes]] = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
                plan = proxy.plan(len(proxy.seen))
                self.close_connection = True
                if plan == "before":
                    return
                if isinstance(plan, tuple):
                    status, content_type, text = plan
                else:
                    target = urlsplit(URL)
                    upstream = http.client.HTTPConnection(str(target.hostname), target.port or 80)
                    headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                    upstream.request(self.command, self.path, body or None, headers)
                    answer = upstream.getresponse()
                    status, content_type, text = answer.status, str(answer.getheader("Content-Type")), answer.read()
                    upstream.close()
                if plan == "after":
                    return
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = _handle

            def log_message(self, *_args: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_args: Any) -> None:
                """Ignores the error of a killed client that does not read its response."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class WithServer(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        operator = OpenMonetize(TOKEN, URL)
        registration = {"name": "Python", "email": f"{uuid.uuid4()}@example.com", "tier": "ENTERPRISE"}
        self.key = operator.customers.register(registration)["api_key"]
        self.direct = OpenMonetize(self.key, URL)
        self.reported: List[OpenMonetizeError] = []

    def behind(self, plan: Plan, **options: Any) -> Tuple[OpenMonetize, Proxy]:
        proxy = Proxy(plan)
        self.addCleanup(proxy.close)
        named: Dict[str, Any] = {"timeout": 5, "on_error": lambda error, _event: self.reported.append(error), **options}
        return OpenMonetize(self.key, proxy.url, **named), proxy

    def numbers(self) -> List[int]:
        return [row["metadata"]["number"] for row in self.direct.events.list(limit=100)][::-1]

    def path(self, name: str) -> str:
        return os.path.join(self.directory.name, name)


class Track(WithServer):
    def test_sends_each_event_once_and_in_order_when_answers_are_lost(self) -> None:
        om, _proxy = self.behind(lambda number: "after" if number % 3 == 0 else "pass", interval=0.01, batch_events=20)
        for number in range(300):
            self.assertTrue(om.track(event(number)))
        om.close()
        self.assertEqual(om.stats(), {"queued": 0, "sent": 300, "dropped": 0, "rejected": 0})
        self.assertEqual(self.numbers(), list(range(300)))

    def test_is_thread_safe(self) -> None:
        om, _proxy = self.behind(lambda _number: "pass", interval=0.01)
        threads = [
            threading.Thread(target=lambda first=first: [om.track(event(first + n)) for n in range(100)])
            for first in range(0, 800, 100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        om.close()
        self.assertEqual(om.stats()["sent"], 800)
        self.assertEqual(sorted(self.numbers()), list(range(800)))

    def test_a_poison_event_does_not_stop_the_others(self) -> None:
        om, _proxy = self.behind(lambda _number: "pass")
        for bad in ({"provider": "NOBODY"}, {"input_tokens": -1}, {}):
            om.track(event(1, **bad))
        self.assertFalse(om.track(event(1, metadata={"x": object()})))
        om.flush()
        self.assertEqual(om.stats(), {"queued": 0, "sent": 1, "dropped": 0, "rejected": 3})
        self.assertIn("unknown_provider", [error.code for error in self.reported])

    def test_bounds_and_modes(self) -> None:
        away = (503, "application/json", b'{"code":"unavailable"}')
        om, _proxy = self.behind(lambda _number: away, max_events=2)
        self.assertEqual([om.track(event(n)) for n in range(3)], [True, True, False])
        with self.assertRaises(ServerError):
            om.flush(0.2)
        allowed, _proxy = self.behind(lambda _number: away, on_unavailable="allow", max_retries=1)
        allowed.track(event(1))
        allowed.flush()
        self.assertEqual(allowed.stats()["dropped"], 1)
        strict, proxy = self.behind(lambda _number: away, on_unavailable="deny")
        strict.track(event(1))
        with self.assertRaises(ServerError):
            strict.flush(0.2)
        with self.assertRaises(ServerError):
            strict.track(event(2))
        proxy.plan = lambda _number: "pass"
        strict.close()
        self.assertEqual(strict.stats()["sent"], 1)


    def test_continues_in_memory_when_its_store_fails_and_reports_it(self) -> None:
        class FullDisk:
            def __getattr__(self, name: str) -> Any:
                def fails(*_arguments: Any) -> None:
                    raise OSError(28, "No space left on device", name)

                return fails

        om, _proxy = self.behind(lambda _number: "pass", store=FullDisk())
        self.assertTrue(om.track(event(1)))
        om.track(event(2, provider="NOBODY"))
        om.close()
        self.assertEqual(om.stats(), {"queued": 0, "sent": 1, "dropped": 0, "rejected": 1})
        self.assertEqual(self.numbers(), [1])
        failed = [error for error in self.reported if error.code == "store_failed"]
        self.assertIn("No space left", failed[0].detail)
        for name in ("load", "append", "remove", "reject", "sync", "close"):
            self.assertTrue(any(name in error.detail for error in failed), name)

    def test_half_of_a_character_is_sent_escaped(self) -> None:
        om, proxy = self.behind(lambda _number: "pass", store=FileStore(self.path("usage")))
        self.assertTrue(om.track(event(1, metadata={"number": 1, "half": "x\ud83d"})))
        self.assertTrue(om.track(event(2, user_id="x\ud83d")))
        om.close()
        self.assertIn(b'"half": "x\\ud83d"', proxy.seen[0][1])
        self.assertEqual(om.stats()["queued"], 0)
        self.assertIn(1, self.numbers())


class Calls(WithServer):
    def test_text_that_cannot_be_sent_is_refused_by_name(self) -> None:
        for call in (
            lambda: self.direct.users.retrieve("x\ud83d"),
            lambda: self.direct.events.list(user_id="x\ud83d").data,
            lambda: self.direct.credits.grant({"amount": 1}, idempotency_key="kl\u00fcssel"),
            lambda: self.direct.events.ingest(event(1, idempotency_key="\u043a\u043b\u044e\u0447")),
        ):
            with self.assertRaises(ConfigurationError):
                call()


class Files(WithServer):
    def test_a_line_that_a_full_disk_cut_off_damages_no_other_line(self) -> None:
        store = FileStore(self.path("usage"))
        file = store._file

        class FullOnce:
            def write(self, data: bytes) -> int:
                if len(data) > 10:
                    return int(file.write(data[:10]))
                raise OSError(28, "No space left on device")

        store._file = FullOnce()
        with self.assertRaises(OSError):
            store.append([("a", '{"idempotency_key": "a"}')])
        store._file = file
        store.append([("b", '{"idempotency_key": "b"}')])
        store.close()
        store = FileStore(self.path("usage"))
        self.assertEqual(store.load(), [("b", '{"idempotency_key": "b"}')])
        store.close()

    def test_events_survive_the_end_of_the_process(self) -> None:
        program = (
            "import os, sys\n"
            "from openmonetize import FileStore, OpenMonetize\n"
            "om = OpenMonetize(sys.argv[1], sys.argv[2], store=FileStore(sys.argv[3]), interval=0.01, batch_events=50)\n"
            "first = int(sys.argv[4])\n"
            "for number in range(first, first + 200):\n"
            "    om.track({'event_type': 'TOKEN_USAGE', 'feature_id': 'chat', 'provider': 'OPENAI', 'model': 'gpt-4o',\n"
            "              'input_tokens': 200, 'metadata': {'number': number}})\n"
            "print('tracked', flush=True)\n"
            "import time; time.sleep(60)\n"
        )
        proxy = Proxy(lambda number: "after" if number % 3 == 0 else "pass")
        self.addCleanup(proxy.close)
        for round in range(3):
            arguments = [self.key, proxy.url, self.path("usage"), str(round * 200)]
            child = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE)
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.02 * round)
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
        om = OpenMonetize(self.key, URL, store=FileStore(self.path("usage")))
        om.close()
        self.assertEqual(self.numbers(), list(range(600)))
        self.assertEqual(os.path.getsize(self.path("usage")), 0)

    def test_only_one_process_may_use_a_file(self) -> None:
        with open(self.path("usage.lock"), "w", encoding="utf-8") as file:
            file.write(str(os.getppid()))
        with self.assertRaises(ConfigurationError):
            FileStore(self.path("usage"))

    def test_only_one_store_of_a_process_may_use_a_file(self) -> None:
        first = FileStore(self.path("usage"))
        with self.assertRaises(ConfigurationError):
            FileStore(self.path("usage"))
        first.close()
        FileStore(self.path("usage")).close()

    def test_a_file_that_cannot_be_opened_stays_unlocked(self) -> None:
        os.mkdir(self.path("usage"))
        with self.assertRaises(OSError):
            FileStore(self.path("usage"))
        os.rmdir(self.path("usage"))
        FileStore(self.path("usage")).close()

    def test_only_the_owner_may_read_the_files(self) -> None:
        store = FileStore(self.path("usage"))
        store.append([("a", '{"idempotency_key": "a"}')])
        store.reject(("a", '{"idempotency_key": "a"}'), "refused")
        store.close()
        for path in (self.path("usage"), store.rejected_path):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)


class Retries(WithServer):
    def test_a_retry_sends_the_same_bytes_with_the_same_key(self) -> None:
        answers: List[Any] = ["before", "after", (502, "text/html", b"<html>"), "pass"]
        om, proxy = self.behind(lambda number: answers[number - 1], max_retries=3)
        self.assertEqual(om.events.ingest(event(1))["credits_burned"], 1)
        self.assertEqual(len({body for _headers, body in proxy.seen}), 1)
        self.assertEqual(len({headers["idempotency-key"] for headers, _body in proxy.seen}), 1)
        self.assertEqual(self.numbers(), [1])

    def test_rejects_answers_that_are_not_of_the_api(self) -> None:
        om, _proxy = self.behind(lambda _number: (200, "text/html", b"<html>Welcome</html>"))
        with self.assertRaises(InvalidResponseError):
            om.customers.me()
        with self.assertRaises(ConnectionFailedError):
            OpenMonetize("k", "http://127.0.0.1:1", max_retries=0).customers.me()


class Webhooks(unittest.TestCase):
    def test_verifies_webhooks(self) -> None:
        key, payload, now = b"a key of some length", '{"id":"ntf_1"}', str(int(time.time()))
        signature = base64.b64encode(hmac.new(key, f"ntf_1.{now}.{payload}".encode(), hashlib.sha256).digest()).decode()
        secret = "whsec_" + base64.b64encode(key).decode()
        headers = {"Webhook-Id": "ntf_1", "Webhook-Timestamp": now, "Webhook-Signature": f"v1,{signature}"}
        self.assertEqual(verify_webhook(payload, headers, secret), json.loads(payload))
        for bad in ({"Webhook-Timestamp": "1"}, {"Webhook-Signature": "v1,x"}, {"Webhook-Id": ""}):
            with self.assertRaises(WebhookVerificationError):
                verify_webhook(payload, {**headers, **bad}, secret)


if __name__ == "__main__":
    unittest.main()
