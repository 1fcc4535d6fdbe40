"""Runs the shared table of calls against the server at METER_URL."""

import asyncio
import json
import os
import pathlib
import re
import unittest
import uuid
from typing import Any, Dict, List, Optional

from openmonetize import AsyncOpenMonetize, OpenMonetize, OpenMonetizeError, Page

URL = os.environ.get("METER_URL", "http://localhost:8787")
TOKEN = os.environ.get("OPERATOR_TOKEN", "dev-operator-token")
TABLE = pathlib.Path(__file__).parents[2] / "sdk" / "test" / "calls.json"


def call(client: Any, method: str, args: List[Any]) -> Any:
    for part in re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), method).split("."):
        client = getattr(client, part)
    answer = client(*args)
    return {"data": answer.data, "next_cursor": answer.next_cursor} if isinstance(answer, Page) else answer


def at(value: Any, place: List[Any]) -> Any:
    for key in place:
        value = value[key]
    return value


class Calls(unittest.TestCase):
    def test_every_call_gets_the_answer_of_the_table(self) -> None:
        known: Dict[str, str] = {}

        def translated(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: translated(part) for key, part in value.items()}
            if isinstance(value, list):
                return [translated(part) for part in value]
            return known.get(value, value) if isinstance(value, str) else value

        clients = {
            "operator": OpenMonetize(TOKEN, URL),
            "anonymous": OpenMonetize(None, URL),
        }
        rows = json.loads(TABLE.read_text(encoding="utf-8"))
        for row in rows:
            args = translated(row["args"])
            if row["method"] == "customers.register" and "error" not in row:
                args[0].update(email=f"{uuid.uuid4()}@example.com", tier="ENTERPRISE")
            refused: Optional[OpenMonetizeError] = None
            answer: Any = None
            try:
                answer = call(clients[row["as"]], row["method"], args)
            except OpenMonetizeError as error:
                refused = error
            with self.subTest(row["name"]):
                if "error" in row:
                    self.assertIsNotNone(refused, answer)
                    assert refused is not None
                    self.assertEqual({"status": refused.status, "code": refused.code}, row["error"])
                    continue
                self.assertIsNone(refused)
                for field, value in row.get("match", {}).items():
                    self.assertEqual(answer.get(field), value, field)
            for text, place in row.get("save", {}).items():
                known[text] = at(answer, place)
            if row["method"] == "customers.register" and answer is not None:
                clients["customer"] = OpenMonetize(answer["api_key"], URL)
        self.assertGreaterEqual(len(rows), 200)

    def test_lots_are_listed_beyond_the_first_page(self) -> None:
        body = {"name": "Python", "email": f"{uuid.uuid4()}@example.com", "tier": "ENTERPRISE"}
        om = OpenMonetize(OpenMonetize(TOKEN, URL).customers.register(body)["api_key"], URL)
        for amount in range(1, 6):
            om.credits.grant({"user_id": "u", "amount": amount})
        self.assertEqual([lot["amount"] for lot in om.credits.lots(user_id="u", limit=2)], [1, 2, 3, 4, 5])

    def test_asyncio(self) -> None:
        async def story() -> None:
            operator = OpenMonetize(TOKEN, URL)
            key = operator.customers.register(
                {"name": "Python", "email": f"{uuid.uuid4()}@example.com", "tier": "ENTERPRISE"}
            )["api_key"]
            async with AsyncOpenMonetize(key, URL) as om:
                answers = await asyncio.gather(
                    *(
                        om.events.ingest(
                            {"event_type": "TOKEN_USAGE", "feature_id": "chat", "provider": "OPENAI",
                             "model": "gpt-4o", "input_tokens": 200}
                        )
                        for _ in range(5)
                    )
                )
                self.assertEqual([answer["credits_burned"] for answer in answers], [1] * 5)
                self.assertEqual(len(await om.events.list(limit=2)), 5)
                await om.credits.recurring_grants.list()

        asyncio.run(story())


if __name__ == "__main__":
    unittest.main()
