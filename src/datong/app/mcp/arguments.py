"""What each tool is told, and how it is described to whoever calls it: the words stand in the catalogue."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datong.app.service.grids import Op
from datong.app.service.proposals_and_approvals import MOST_ORDERS, STATES
from datong.ledger.protocol import TRUNK
from datong.model.errors import Refused
from datong.model.words import catalogue, message, say

# Seconds that a tool may wait for a job: clients of the protocol give up after a minute.
MOST_WAIT_S = 50
MOST_ROWS, MOST_FINDINGS = 100, 30

T = TypeVar("T", bound="Arguments")
Code = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=1000)]
Why = Annotated[str, Field(min_length=1, max_length=2000)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Day = Annotated[str, Field(pattern=r"^(19|20|21)\d\d-\d\d-\d\d$")]
Wait = Annotated[int, Field(ge=0, le=MOST_WAIT_S)]


class Arguments(BaseModel):
    """A name that is not known is refused, so that a misspelt one does not do nothing."""

    model_config = ConfigDict(extra="forbid")


class OfFindings(Arguments):
    finding: Code | None = None
    count: Annotated[int, Field(ge=1, le=MOST_FINDINGS)] = 10


class OfWhy(Arguments):
    order: Code


class Condition(Arguments):
    column: Code
    op: Op
    value: Text


class OfOrders(Arguments):
    search: Annotated[str, Field(max_length=200)] = ""
    conditions: list[Condition] = Field([], max_length=20)
    sort: Code | None = None
    descending: bool = False
    cursor: Annotated[str, Field(max_length=4000)] | None = None
    count: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 20


class OfQuote(Arguments):
    product: Code
    units: Number
    due: Day
    market: Code | None = None
    branch: Code | None = None
    wait_seconds: Wait = 40


class OfJob(Arguments):
    job: Code
    wait_seconds: Wait = 40


class Value(Arguments):
    table: Code
    key: Code
    column: Code
    text: Text


class Row(Arguments):
    table: Code
    values: Annotated[dict[Code, Text], Field(min_length=1, max_length=100)]


class OfBranch(Arguments):
    name: Code
    note: Text = ""
    parent: Code = TRUNK
    changes: list[Value | Row] = Field([], max_length=200)
    run: bool = False
    wait_seconds: Wait = 40


class OfCompare(Arguments):
    name: Code
    against: Code = TRUNK


class DemandChange(Arguments):
    first: Day
    after: Day
    share: Number
    low: Number
    high: Number


class OfPropose(Arguments):
    kind: Literal["release", "change", "decide"]
    why: Why
    orders: list[Code] = Field([], max_length=MOST_ORDERS)
    order: Code | None = None
    units: Number | None = None
    start: Day | None = None
    way: Code | None = None
    split: list[Number] = Field([], max_length=20)
    finding: Code | None = None
    state: Literal["taken", "dismissed"] | None = None
    demand: DemandChange | None = None


class OfProposals(Arguments):
    state: Literal[STATES] = "open"  # ty: ignore[invalid-type-form]


def schema_of(arguments: type[Arguments], language: str) -> dict[str, Any]:
    """The JSON schema of what a tool is told, each name with what it means."""
    schema = arguments.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        part.pop("title", None)
        part.pop("description", None)
        for name, told in part.get("properties", {}).items():
            told.pop("title", None)
            key = f"mcp.argument.{name}"
            if key in catalogue():
                told["description"] = say(key, language)
    return schema


def read(arguments: type[T], told: dict[str, Any] | None) -> T:
    """What a tool is told. Raises Refused for what does not fit."""
    try:
        return arguments.model_validate(told or {})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or '-'}: {one['msg']}" for one in error.errors()[:5])
        raise Refused(message("mcp.wrong_arguments", wrong=wrong)) from error
