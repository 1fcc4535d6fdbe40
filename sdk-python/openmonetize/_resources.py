"""The methods of the API's routes, by resource. Bodies and responses are dictionaries with the API's fields."""

from typing import Any, Mapping, Optional, Union

from ._http import Http, Json, Page, path_of

Body = Mapping[str, Any]
Params = Optional[Mapping[str, Any]]


class _Resource:
    def __init__(self, http: Http) -> None:
        self._http = http

    def _get(self, path: str, params: Params = None, more: Params = None) -> Json:
        return self._http.call("GET", path, query={**(params or {}), **(more or {})})

    def _list(self, path: str, params: Params = None, more: Params = None) -> Page:
        return self._http.list(path, {**(params or {}), **(more or {})})

    def _send(self, path: str, body: Params, key: Optional[str] = None, method: str = "POST") -> Json:
        return self._http.call(method, path, body or {}, idempotency_key=key)

    def _delete(self, path: str, params: Params = None, more: Params = None) -> Json:
        return self._http.call("DELETE", path, query={**(params or {}), **(more or {})})


class Events(_Resource):
    def ingest(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        """Sends one event, or a batch as `{"events": […]}`."""
        # If the body has an idempotency key, the header must have the same key.
        own = None if "events" in body else body.get("idempotency_key")
        return self._send("/v1/events/ingest", body, idempotency_key or own)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/events", params, more)

    def retrieve(self, id: str) -> Json:
        return self._get(path_of("/v1/events/{id}", id))

    def void(self, id: str, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/events/{id}/void", id), None, idempotency_key)

    def explain(self, id: str) -> Json:
        return self._get(path_of("/v1/events/{id}/explain", id))

    def receipt(self, id: str) -> Json:
        return self._get(path_of("/v1/events/{id}/receipt", id))


class Ledger(_Resource):
    def checkpoint(self) -> Json:
        return self._get("/v1/ledger/checkpoint")


class RecurringGrants(_Resource):
    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/credits/recurring-grants", params, more)

    def delete(self, id: str) -> Json:
        return self._delete(path_of("/v1/credits/recurring-grants/{id}", id))


class AutoTopUp(_Resource):
    def retrieve(self, params: Params = None, **more: Any) -> Json:
        return self._get("/v1/credits/auto-top-up", params, more)

    def update(self, body: Body, params: Params = None, **more: Any) -> Json:
        return self._http.call(
            "PUT", "/v1/credits/auto-top-up", body, query={**(params or {}), **more}
        )

    def delete(self, params: Params = None, **more: Any) -> Json:
        return self._delete("/v1/credits/auto-top-up", params, more)


class Credits(_Resource):
    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self.recurring_grants = RecurringGrants(http)
        self.auto_top_up = AutoTopUp(http)

    def balance(self, params: Params = None, **more: Any) -> Json:
        return self._get("/v1/credits/balance", params, more)

    def lots(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/credits/lots", params, more)

    def revoke(self, id: str, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/credits/lots/{id}/revoke", id), body, idempotency_key)

    def transactions(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/credits/transactions", params, more)

    def grant(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/credits/grant", body, idempotency_key)

    def purchase(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/credits/purchase", body, idempotency_key)

    def refund(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/credits/refund", body, idempotency_key)

    def transfer(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/credits/transfer", body, idempotency_key)

    def adjust(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/credits/adjust", body, idempotency_key)

    def update_wallet(self, body: Body) -> Json:
        return self._send("/v1/credits/wallets", body, method="PATCH")


class Holds(_Resource):
    def create(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/holds", body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/holds", params, more)

    def retrieve(self, id: str) -> Json:
        return self._get(path_of("/v1/holds/{id}", id))

    def capture(self, id: str, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/holds/{id}/capture", id), body, idempotency_key)

    def release(self, id: str, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/holds/{id}/release", id), None, idempotency_key)

    def extend(self, id: str, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/holds/{id}/extend", id), body, idempotency_key)


class Entitlements(_Resource):
    def check(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/entitlements/check", body, idempotency_key)

    def create(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/entitlements", body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/entitlements", params, more)

    def retrieve(self, id: str) -> Json:
        return self._get(path_of("/v1/entitlements/{id}", id))

    def update(self, id: str, body: Body) -> Json:
        return self._send(path_of("/v1/entitlements/{id}", id), body, method="PUT")

    def delete(self, id: str) -> Json:
        return self._delete(path_of("/v1/entitlements/{id}", id))


class _Prices(_Resource):
    path = ""

    def create(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(self.path, body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list(self.path, params, more)


class PriceOverrides(_Prices):
    path = "/v1/rating/price-overrides"


class ProviderCosts(_Prices):
    path = "/v1/admin/provider-costs"


class Rating(_Resource):
    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self.price_overrides = PriceOverrides(http)

    def calculate(self, body: Body) -> Json:
        return self._send("/v1/rating/calculate", body)

    def calculate_bulk(self, body: Body) -> Json:
        return self._send("/v1/rating/calculate/bulk", body)

    def simulate(self, body: Body) -> Json:
        return self._send("/v1/rating/simulate", body)

    def pricing(self, params: Params = None, **more: Any) -> Union[Json, Page]:
        """Returns the price of a `model`, the models of a `provider`, or all providers if neither is given."""
        given = {**(params or {}), **more}
        if given.get("model") is not None:
            return self._get("/v1/rating/pricing", given)
        return self._list("/v1/rating/pricing", given)


class BurnTables(_Resource):
    def create(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/burn-tables", body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/burn-tables", params, more)

    def active(self) -> Json:
        return self._get("/v1/burn-tables/active")

    def retrieve(self, id: str, params: Params = None, **more: Any) -> Json:
        return self._get(path_of("/v1/burn-tables/{id}", id), params, more)

    def update(self, id: str, body: Body) -> Json:
        return self._send(path_of("/v1/burn-tables/{id}", id), body, method="PATCH")

    def delete(self, id: str) -> Json:
        return self._delete(path_of("/v1/burn-tables/{id}", id))


class Analytics(_Resource):
    def usage(self, params: Params = None, **more: Any) -> Json:
        return self._get("/v1/analytics/usage", params, more)

    def costs(self, params: Params = None, **more: Any) -> Json:
        return self._get("/v1/analytics/costs", params, more)

    def burn_rate(self, params: Params = None, **more: Any) -> Json:
        return self._get("/v1/analytics/burn-rate", params, more)


class _Objects(_Resource):
    """A resource with the methods `create`, `list`, `retrieve`, `update` and `delete`."""

    path = ""

    def create(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(self.path, body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list(self.path, params, more)

    def retrieve(self, id: str) -> Json:
        return self._get(path_of(f"{self.path}/{{id}}", id))

    def update(self, id: str, body: Body) -> Json:
        return self._send(path_of(f"{self.path}/{{id}}", id), body, method="PATCH")

    def delete(self, id: str) -> Json:
        return self._delete(path_of(f"{self.path}/{{id}}", id))


class Users(_Objects):
    path = "/v1/users"


class Teams(_Objects):
    path = "/v1/teams"


class ApiKeys(_Resource):
    def create(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/api-keys", body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/api-keys", params, more)

    def rotate(self, id: str, body: Params = None, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/api-keys/{id}/rotate", id), body, idempotency_key)

    def delete(self, id: str) -> Json:
        return self._delete(path_of("/v1/api-keys/{id}", id))


class ProviderKeys(_Resource):
    def create(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/provider-keys", body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/provider-keys", params, more)

    def delete(self, id: str) -> Json:
        return self._delete(path_of("/v1/provider-keys/{id}", id))


class CreditPacks(_Objects):
    path = "/v1/credit-packs"


class Payments(_Resource):
    def checkout(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/payments/checkout", body, idempotency_key)

    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/payments", params, more)

    def retrieve(self, id: str) -> Json:
        return self._get(path_of("/v1/payments/{id}", id))


class PortalTokens(_Resource):
    def create(self, body: Body) -> Json:
        return self._send("/v1/portal-tokens", body)


class GatewayRoutes(_Objects):
    path = "/v1/gateway-routes"


class Alerts(_Objects):
    path = "/v1/alerts"


class OpenMeter(_Resource):
    def retrieve(self) -> Json:
        return self._get("/v1/drop-in/openmeter")

    def update(self, body: Body) -> Json:
        return self._send("/v1/drop-in/openmeter", body, method="PUT")


class DropIn(_Resource):
    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self.open_meter = OpenMeter(http)

    def retrieve(self) -> Json:
        return self._get("/v1/drop-in")


class WebhookEndpoints(_Objects):
    path = "/v1/webhook-endpoints"

    def rotate_secret(self, id: str, body: Params = None, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/webhook-endpoints/{id}/rotate-secret", id), body, idempotency_key)

    def test(self, id: str, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/webhook-endpoints/{id}/test", id), None, idempotency_key)

    def replay(self, id: str, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/webhook-endpoints/{id}/replay", id), body, idempotency_key)


class WebhookDeliveries(_Resource):
    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/webhook-deliveries", params, more)

    def retrieve(self, id: str) -> Json:
        return self._get(path_of("/v1/webhook-deliveries/{id}", id))

    def retry(self, id: str, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send(path_of("/v1/webhook-deliveries/{id}/retry", id), None, idempotency_key)


class Customers(_Resource):
    def register(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        """Registers a customer. A deployment with open registration needs no key: use `OpenMonetize(api_key=None)`."""
        return self._send("/v1/customers/register", body, idempotency_key)

    def me(self) -> Json:
        return self._get("/v1/customers/me")


class Platform(_Resource):
    def health(self) -> Json:
        return self._get("/health")

    def ready(self) -> Json:
        return self._get("/ready")

    def openapi(self) -> Json:
        return self._get("/openapi.json")


class AdminCustomers(_Resource):
    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/admin/customers", params, more)

    def retrieve(self, id: str) -> Json:
        return self._get(path_of("/v1/admin/customers/{id}", id))

    def update(self, id: str, body: Body) -> Json:
        return self._send(path_of("/v1/admin/customers/{id}", id), body, method="PATCH")

    def create_api_key(self, id: str, body: Body) -> Json:
        return self._send(path_of("/v1/admin/customers/{id}/api-keys", id), body)

    def rebuild(self, id: str, body: Params = None) -> Json:
        return self._send(path_of("/v1/admin/customers/{id}/rebuild", id), body)


class DeadLetters(_Resource):
    def list(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/admin/dead-letters", params, more)

    def replay(self, body: Params = None) -> Json:
        return self._send("/v1/admin/dead-letters/replay", body)


class PriceFeed(_Resource):
    def retrieve(self) -> Json:
        return self._get("/v1/admin/price-feed")

    def apply(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/admin/price-feed/apply", body, idempotency_key)

    def reject(self, body: Body, *, idempotency_key: Optional[str] = None) -> Json:
        return self._send("/v1/admin/price-feed/reject", body, idempotency_key)


class Admin(_Resource):
    """The operator's routes. Create the client with the operator token as its `api_key`."""

    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self.customers = AdminCustomers(http)
        self.provider_costs = ProviderCosts(http)
        self.dead_letters = DeadLetters(http)
        self.price_feed = PriceFeed(http)

    def stats(self) -> Json:
        return self._get("/v1/admin/stats")

    def audit(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/admin/audit", params, more)

    def unrated(self, params: Params = None, **more: Any) -> Page:
        return self._list("/v1/admin/unrated", params, more)

    def rerate(self, body: Params = None) -> Json:
        return self._send("/v1/admin/rerate", body)

    def reconcile(self, body: Params = None) -> Json:
        return self._send("/v1/admin/reconcile", body)
