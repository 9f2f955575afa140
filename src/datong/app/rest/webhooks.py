"""One's own webhooks: addresses that are sent a word when something changes."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Called, Signed
from datong.app.rest.shapes import Body, Done
from datong.app.service.webhooks import KINDS, Webhook

webhooks = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=Signed)

OfWebhook = Annotated[int, Path(ge=1, le=2**53, description="The number of a webhook.")]
Kind = Annotated[str, Field(max_length=40)]


class NewWebhook(Body):
    """address: https://...; kinds: of events that it is told of."""

    address: Annotated[str, Field(min_length=1, max_length=2000)]
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=len(KINDS))]


class WebhookSecret(BaseModel):
    """secret: by which a receiver knows that a word is from here (Standard Webhooks); shown once."""

    webhook: int
    secret: str | None


@webhooks.get("")
def list_webhooks(call: Called) -> list[Webhook]:
    """One's own webhooks, without their secrets, and how the last word went."""
    return call.served.webhooks.of(call.own_session.who)


@webhooks.post("", status_code=201)
def make_webhook(sent: NewWebhook, call: Called) -> WebhookSecret:
    """A new webhook. It hears what one may see oneself."""
    made, secret = call.served.webhooks.make(call.own_session.who, sent.address, sent.kinds)
    return WebhookSecret(webhook=made.webhook, secret=secret)


@webhooks.post("/{webhook}/test", status_code=202)
def try_webhook(webhook: OfWebhook, call: Called) -> Done:
    """Send it a word of the type `test`; how that went stands in the list."""
    call.served.webhooks.try_out(call.own_session.who, webhook)
    return Done()


@webhooks.delete("/{webhook}")
def drop_webhook(webhook: OfWebhook, call: Called) -> Done:
    """Take a webhook away, with what waits for it."""
    call.served.webhooks.drop(call.own_session.who, webhook)
    return Done()
