"""A script in Python: `OPENMONETIZE_KEY=om_… python3 script.py`. It stores its events in a file until they are sent."""

import os

from openmonetize import FileStore, InsufficientCreditsError, OpenMonetize

om = OpenMonetize(
    os.environ["OPENMONETIZE_KEY"],
    os.environ.get("OPENMONETIZE_URL", "http://localhost:8787"),
    store=FileStore(os.environ.get("USAGE_FILE", "usage.ndjson")),
)

with om:
    try:
        answer = om.events.ingest(
            {
                "event_type": "TOKEN_USAGE",
                "feature_id": "summaries",
                "provider": "ANTHROPIC",
                "provider_api": "anthropic",
                "provider_response": {
                    "model": "claude-sonnet-4-6",
                    "usage": {"input_tokens": 200, "cache_read_input_tokens": 4000, "output_tokens": 300},
                },
            }
        )
        print("burned", answer["credits_burned"], "left", answer["balance_after"])
    except InsufficientCreditsError as error:
        print("buy credits:", error.problem["required"])
    for number in range(100):
        om.track({"event_type": "API_CALL", "feature_id": "lookups", "quantity": 1, "unit": "searches"})
print(om.stats())
