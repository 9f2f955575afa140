"""Counts of the server, for whoever runs it."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from datong.app.http.counts_and_logs import METRICS_TYPE
from datong.app.rest.around_every_call import Called, Signed
from datong.app.service.roles_and_permissions import Permission

router = APIRouter(prefix="/metrics", tags=["health"], route_class=Signed)


class MetricsText(PlainTextResponse):
    """Lines that Prometheus reads."""

    media_type = METRICS_TYPE


@router.get("", response_class=MetricsText)
def metrics(call: Called) -> MetricsText:
    """Counts and times of the server since it began, in the text format of Prometheus."""
    call.who.require(Permission.SEE_HEALTH)
    return MetricsText(call.door.metrics.text())
