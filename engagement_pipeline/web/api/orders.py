"""Orders: write one or many, read one."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter

from engagement_pipeline.users.models import Order
from engagement_pipeline.users.store import UnknownUserError, WriteCounts
from engagement_pipeline.web import changes
from engagement_pipeline.web.api.answers import order_of, score_answers
from engagement_pipeline.web.api.calls import Call, NoParameters, OrderId, Reader, Writer
from engagement_pipeline.web.api.described import LOCATION, answers, link, problems
from engagement_pipeline.web.api.idempotency import Done, IdempotencyKey, Once
from engagement_pipeline.web.api.models.orders import BatchWritten, OrderAnswer, OrderBatch, OrderFields, OrderWritten
from engagement_pipeline.web.api.problems import FieldError, not_found, not_valid

router = APIRouter(prefix="/api", tags=["Orders"])

_LINKS = {
    "get_order": link("get_order", order_id="$response.body#/order/order_id"),
    "get_user": link("get_user", user_id="$response.body#/order/user_id"),
}


@router.post(
    "/orders",
    operation_id="write_order",
    responses=answers(200, "An order of this id was known: it is replaced.", headers=LOCATION, links=_LINKS)
    | answers(201, "A new order.", OrderWritten, headers=LOCATION, links=_LINKS)
    | problems(410),
)
def write(call: Writer, _: NoParameters, order: OrderFields, idempotency_key: IdempotencyKey = None) -> OrderWritten:
    """Write an order, and read its user's score, computed at once. One of the same id is replaced."""
    new = order_of(call, order)

    def do() -> Done:
        counts = _put(call, [new], lambda _: "user_id")
        written = OrderWritten(
            result="created" if counts.created else "updated" if counts.updated else "unchanged",
            order=OrderAnswer.model_validate(new.model_dump(mode="json")),
            user=score_answers(call, [new.user_id])[0],
        )
        status = HTTPStatus.CREATED if counts.created else HTTPStatus.OK
        return Done(written, status, {"Location": f"/api/orders/{quote(new.order_id, safe='')}"}, new.user_id)

    # FastAPI documents the answer, and takes this one as it is.
    return Once(call, idempotency_key, order).within(do)  # type: ignore[return-value]


@router.post(
    "/order-batches",
    operation_id="write_orders",
    responses=answers(200, "All orders are written.") | problems(410),
)
def write_batch(
    call: Writer, _: NoParameters, batch: OrderBatch, idempotency_key: IdempotencyKey = None
) -> BatchWritten:
    """Write many orders, all or none, and read their users' scores, computed at once."""
    new = [order_of(call, order, f"orders.{place}.") for place, order in enumerate(batch.orders)]

    def do() -> Done:
        counts = _put(call, new, lambda place: f"orders.{place}.user_id")
        users = score_answers(call, {order.user_id for order in new})
        return Done(
            BatchWritten(created=counts.created, updated=counts.updated, unchanged=counts.unchanged, users=users)
        )

    # FastAPI documents the answer, and takes this one as it is.
    return Once(call, idempotency_key, batch).within(do)  # type: ignore[return-value]


@router.get("/orders/{order_id}", operation_id="get_order", responses=problems(404))
def get(call: Reader, _: NoParameters, order_id: OrderId) -> OrderAnswer:
    """Read an order."""
    found = call.pipeline.store.get_orders([order_id])
    if not found:
        raise not_found("order")
    return OrderAnswer.model_validate(found[0].model_dump(mode="json"))


def _put(call: Call, orders: list[Order], name: Callable[[int], str]) -> WriteCounts:
    try:
        return changes.put_orders(call.pipeline.store, orders, call.by)
    except UnknownUserError as unknown:
        raise not_valid(
            [
                FieldError(
                    field=name(place),
                    reason="unknown_user",
                    message="names a user that does not exist: create users first",
                )
                for place, order in enumerate(orders)
                if order.user_id in unknown.user_ids
            ]
        ) from None
