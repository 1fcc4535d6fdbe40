"""The errors of this package. All are subclasses of `OpenMonetizeError`."""

from typing import Any, Dict, Mapping, Optional, Type


class OpenMonetizeError(Exception):
    """The base class of this package's errors. `status` is 0 if the error has no HTTP status."""

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
        #: Whether to retry the same request after a short wait. A retry with the same idempotency key is safe.
        self.retryable = retryable
        #: The wait in seconds before a retry that the server requests in Retry-After.
        self.retry_after = retry_after
        #: The whole problem document, if the server sent one. For a rejected event of a batch: `code` and `detail`.
        self.problem: Dict[str, Any] = dict(problem or {})


class ConfigurationError(OpenMonetizeError):
    """The error of an invalid option or argument. It is raised before anything is sent."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_options", detail)


class ConnectionFailedError(OpenMonetizeError):
    """The error of a request without a complete response. The server might have processed the request."""


class RequestTimeoutError(OpenMonetizeError):
    """The error of a request that waits longer than `timeout`, or of a flush that does not send all events
    in time.

    The server might have processed the request.
    """


class InvalidResponseError(OpenMonetizeError):
    """The error of an invalid response, such as an HTML page, a redirect, invalid JSON or a response over 64 MiB."""


class InvalidRequestError(OpenMonetizeError):
    """The error of status 400. `problem["errors"]` can list the invalid fields."""


class InvalidApiKeyError(OpenMonetizeError):
    """The error of status 401, for example if the API key is missing, invalid, deleted or expired."""


class InsufficientCreditsError(OpenMonetizeError):
    """The error of status 402 for a wallet with too few credits.

    `problem` has `balance`, `available_balance` and `required`, except for a rejected event of a batch.
    """


class LimitReachedError(OpenMonetizeError):
    """The error of status 402 for a used-up limit of an entitlement."""


class PermissionDeniedError(OpenMonetizeError):
    """The error of status 403, for example if the key lacks a scope or the customer is suspended."""


class NotFoundError(OpenMonetizeError):
    """The error of status 404, for example if the object does not exist."""


class ConflictError(OpenMonetizeError):
    """The error of status 409, such as `conflict` or `hold_not_open`."""


class IdempotencyMismatchError(OpenMonetizeError):
    """The error of status 422 for an idempotency key that was used for another request."""


class UnpricedModelError(OpenMonetizeError):
    """The error of status 422 for a model without a price, or for an unknown provider."""


class RateLimitedError(OpenMonetizeError):
    """The error of status 429, for example for too many requests in one minute."""


class QuotaExceededError(OpenMonetizeError):
    """The error of status 429 for a used-up monthly quota of events."""


class ServerError(OpenMonetizeError):
    """The error of status 500 and above, of a batch response without all results, and of a refusal by `deny`."""


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
    """Reports whether a retry after a short wait can succeed.

    A used-up quota or a missing configuration does not change in that time.
    """
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
