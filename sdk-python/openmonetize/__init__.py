"""A client of OpenMonetize Edge that requires only the standard library.

    om = OpenMonetize(api_key="om_live_…", base_url="https://meter.example.com")
    om.events.ingest({"event_type": "TOKEN_USAGE", "feature_id": "chat", "provider": "OPENAI",
                      "model": "gpt-4o", "input_tokens": 1000})
    om.track({"event_type": "API_CALL", "feature_id": "search", "user_id": "ada"})
"""

from ._client import AsyncOpenMonetize, OpenMonetize
from ._errors import (
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    IdempotencyMismatchError,
    InsufficientCreditsError,
    InvalidApiKeyError,
    InvalidRequestError,
    InvalidResponseError,
    LimitReachedError,
    NotFoundError,
    OpenMonetizeError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    UnpricedModelError,
)
from ._http import Page
from ._store import FileStore
from .webhooks import WebhookVerificationError, verify_webhook

__version__ = "0.1.0"

__all__ = [
    "AsyncOpenMonetize",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "FileStore",
    "IdempotencyMismatchError",
    "InsufficientCreditsError",
    "InvalidApiKeyError",
    "InvalidRequestError",
    "InvalidResponseError",
    "LimitReachedError",
    "NotFoundError",
    "OpenMonetize",
    "OpenMonetizeError",
    "Page",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitedError",
    "RequestTimeoutError",
    "ServerError",
    "UnpricedModelError",
    "WebhookVerificationError",
    "verify_webhook",
]
