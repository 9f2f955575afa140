"""A search over everything."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from datong.app.rest.around_every_call import Called, Signed
from datong.app.rest.json_answers import many, plain
from datong.app.service import search
from datong.app.service.search import LONGEST, Hit

router = APIRouter(prefix="/search", tags=["search"], route_class=Signed)


class Found(BaseModel):
    """hits: of each kind the best first. more: kinds of which there are more."""

    text: str
    hits: many(Hit)  # ty: ignore[invalid-type-form]
    more: list[str]


@router.get("")
def find(call: Called, text: Annotated[str, Query(max_length=LONGEST)]) -> Found:
    """Products, orders, findings, lines, firms and what-ifs whose code or name has a text in it, each within what one
    may see."""
    return Found(**plain(search.search(call.served, call.who, text)))
