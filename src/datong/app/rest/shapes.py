"""Shapes that several endpoints share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Texts that people write; longer ones are no names, reasons or remarks.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Login = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1, le=1000)]


class Body(BaseModel):
    """What is sent. A field that is not known is refused, so that a misspelt one does not do nothing."""

    model_config = ConfigDict(extra="forbid")


class Done(BaseModel):
    """done: it was done."""

    done: bool = True
