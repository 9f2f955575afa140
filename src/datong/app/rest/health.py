"""Whether the server answers, for whatever watches it."""

from fastapi import APIRouter
from pydantic import BaseModel

from datong import __version__
from datong.app.rest.around_every_call import Open

router = APIRouter(prefix="/health", tags=["health"], route_class=Open)


class Health(BaseModel):
    """version: of the program."""

    is_well: bool
    version: str


@router.get("")
async def is_well() -> Health:
    """Whether the server answers."""
    return Health(is_well=True, version=__version__)
