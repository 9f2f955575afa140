"""Shapes that several endpoints share."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Texts that people write; longer ones are no names, reasons or remarks.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Login = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Why = Annotated[str, StringConstraints(max_length=2000)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# Numbers and days that no arithmetic runs over.
Units = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2199, 12, 31))]
Count = Annotated[int, Field(ge=1, le=1000)]


class Body(BaseModel):
    """What is sent. A field that is not known is refused, so that a misspelt one does not do nothing."""

    model_config = ConfigDict(extra="forbid")


class Done(BaseModel):
    """done: it was done."""

    done: bool = True
