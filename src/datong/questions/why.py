"""Why an order is proposed: its reasons, in rank order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datong.model.words import say
from datong.questions.tables_out import message_of
from datong.shown.tables import html_table

_SHOWN = ("order", "product", "units", "start", "due")


@dataclass(frozen=True, eq=False)
class Why:
    """The last run that proposed an order, the order's row, and its reasons: `run, order, reasons = chain.why(...)`.

    A reason is a row of the run's `reasons`: stage, rank, its text as a key and parameters, and the ids of the rows
    behind it in a table, for `chain.evidence`. language: 'en' or 'zh', in which it shows itself.
    """

    run: str
    order: dict[str, Any]
    reasons: list[dict[str, Any]]
    language: str = "en"

    def __iter__(self) -> Iterator[Any]:
        return iter((self.run, self.order, self.reasons))

    def __getitem__(self, place: int) -> Any:
        return (self.run, self.order, self.reasons)[place]

    @property
    def texts(self) -> list[str]:
        """The reasons in words."""
        return [message_of(r["text_key"], r["text_params"]).text(self.language) for r in self.reasons]

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(f"  {n}. {text}" for n, text in enumerate(self.texts, start=1))])

    def _repr_html_(self) -> str:
        rows = [
            {"rank": r["rank"], "stage": r["stage"], "reason": text}
            for r, text in zip(self.reasons, self.texts, strict=True)
        ]
        return html_table(self._title(), rows, self.language)

    def _title(self) -> str:
        units = f"{self.order['units']:,.10g}"
        words = {name: self.order[name] for name in _SHOWN} | {"units": units}
        return say("shown.why", self.language, run=self.run, **words)
