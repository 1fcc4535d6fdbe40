"""Errors: one class per frequent code, all of them `OpenMonetizeError`."""

from typing import Any, Dict, Mapping, Optional, Type


class OpenMonetizeError(Exception):
    """Every error of this package. `status` is 0 when there was no answer."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int = 0,
        request_id: Optional[str] = None,
        retryable: bool = False,
        retry_after: Optional[float] = None,
        problem: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}" if status else f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.request_id = request_id
        #: Whether the same request may succeed later. Repeating it with the same idempotency key is safe.
        self.retryable = retryable
        #: Seconds that the server asks the client to wait.
        self.retry_after = retry_after
        #: The whole problem document, when the server sent one.
        self.problem: Dict[str, Any] = dict(problem or {})


class ConfigurationError(OpenMonetizeError):
    """An option or an argument is wrong. Raised before anything is sent."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_options", detail)


class ConnectionFailedError(OpenMonetizeError):
    """The error of a request without an answer. The request may have taken effect."""


class RequestTimeoutError(OpenMonetizeError):
    """The error of a request without an answer in time. The request may have taken effect."""


class InvalidResponseError(OpenMonetizeError):
    """An answer that is not the API's: an HTML page, a redirect, broken JSON."""


class InvalidRequestError(OpenMonetizeError):
    """400, with the fields at fault in `problem["errors"]`."""


class InvalidApiKeyError(OpenMonetizeError):
    """401."""


class InsufficientCreditsError(OpenMonetizeError):
    """402: the wallet cannot pay. `problem` has `balance`, `available_balance` and `required`."""


class LimitReachedError(OpenMonetizeError):
    """402: an entitlement's limit is used up."""


class PermissionDeniedError(OpenMonetizeError):
    """403."""


class NotFoundError(OpenMonetizeError):
    """404."""


class ConflictError(OpenMonetizeError):
    """409."""


class IdempotencyMismatchError(OpenMonetizeError):
    """422: the idempotency key was used for another request."""


class UnpricedModelError(OpenMonetizeError):
    """422: no price is known for the model, or the provider is unknown."""


class RateLimitedError(OpenMonetizeError):
    """429: too many requests in this minute."""


class QuotaExceededError(OpenMonetizeError):
    """429: the events of this month are used up."""


class ServerError(OpenMonetizeError):
    """500 and above."""


_BY_CODE: Dict[str, Type[OpenMonetizeError]] = {
    "insufficient_credits": InsufficientCreditsError,
    "limit_reached": LimitReachedError,
    "idempotency_mismatch": IdempotencyMismatchError,
    "unpriced_model": UnpricedModelError,
    "unknown_provider": UnpricedModelError,
    "quota_exceeded": QuotaExceededError,
}
_BY_STATUS: Dict[int, Type[OpenMonetizeError]] = {
    400: InvalidRequestError,
    401: InvalidApiKeyError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
}


def is_retryable(status: int, code: str = "") -> bool:
    """A wait of some seconds does not restore a used-up quota or a missing configuration."""
    if code == "quota_exceeded" or code.endswith("_not_configured"):
        return False
    return status in (408, 429) or (status >= 500 and status not in (501, 505))


def api_error(
    status: int,
    problem: Mapping[str, Any],
    request_id: Optional[str] = None,
    retry_after: Optional[float] = None,
) -> OpenMonetizeError:
    code = str(problem.get("code", f"http_{status}"))
    fallback = ServerError if status >= 500 else OpenMonetizeError
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or fallback
    return kind(
        code,
        str(problem.get("detail") or problem.get("title") or "No detail."),
        status=status,
        request_id=request_id or problem.get("request_id"),
        retryable=is_retryable(status, code),
        retry_after=retry_after,
        problem=problem,
    )
