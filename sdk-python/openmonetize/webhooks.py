"""Verifies webhook messages (Standard Webhooks 1.0) with `v1` signatures, which are HMAC-SHA256."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any, Dict, Mapping, Sequence, Union

from ._errors import OpenMonetizeError

TOLERANCE_SECONDS = 300
MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_SIGNATURES = 20


class WebhookVerificationError(OpenMonetizeError):
    """The error of a message that cannot be verified, for example because it was changed or is too old."""


def verify_webhook(
    payload: Union[str, bytes],
    headers: Mapping[str, str],
    secret: Union[str, Sequence[str]],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> Dict[str, Any]:
    """Verifies a message and returns its notification.

    `payload` is the body exactly as received. `secret` is `whsec_…`. Pass several secrets while one is rotated.
    """
    raw = payload.encode() if isinstance(payload, str) else bytes(payload)
    if len(raw) > MAX_PAYLOAD_BYTES:
        raise _refused(f"the message exceeds {MAX_PAYLOAD_BYTES} bytes")
    given = {name.lower(): value for name, value in headers.items()}
    id, timestamp, signature = (given.get(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if not id or not timestamp or not signature:
        raise _refused("webhook-id, webhook-timestamp or webhook-signature is missing")
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise _refused("webhook-timestamp is not a number of seconds")
    difference = abs(time.time() - int(timestamp))
    if difference > tolerance_seconds:
        raise _refused(f"webhook-timestamp differs from the clock by {difference:.0f} seconds")
    signed = f"{id}.{timestamp}.".encode() + raw
    for one in [secret] if isinstance(secret, str) else secret:
        expected = hmac.new(_key(one), signed, hashlib.sha256).digest()
        for candidate in signature.split(" ")[:MAX_SIGNATURES]:
            version, _, value = candidate.partition(",")
            if version == "v1" and hmac.compare_digest(value, base64.b64encode(expected).decode()):
                return _parse(raw)
    raise _refused("no signature matches a secret")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret[len("whsec_") :] if secret.startswith("whsec_") else secret, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise _refused("a secret must be whsec_ plus base64")
    return key


def _parse(raw: bytes) -> Dict[str, Any]:
    try:
        notification = json.loads(raw)
    except ValueError:
        raise _refused("the message is not JSON") from None
    return dict(notification)


def _refused(detail: str) -> WebhookVerificationError:
    return WebhookVerificationError("invalid_signature", f"The webhook is refused: {detail}.")
