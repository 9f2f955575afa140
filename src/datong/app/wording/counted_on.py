"""Orders that only one of two plans counts on, given out or locked, each in a sentence."""

from collections.abc import Mapping, Sequence

from datong.app.wording import figures
from datong.app.wording.names import Names
from datong.model.words import say
from datong.questions.compare import Comparison


def counted_on_lines(comparison: Comparison, sides: Sequence[str], language: str) -> list[str]:
    """One of each, the dearest first. sides: how A and B are called."""
    rows = sorted(comparison.tables["counted_on"].to_pylist(), key=lambda row: -(row["cost"] or 0.0))
    names = {"A": Names(comparison.a.tables), "B": Names(comparison.b.tables)}
    called: Mapping[str, str] = dict(zip("AB", sides, strict=True))
    lines = []
    for row in rows:
        money = {"money": figures.number(row["cost"]), "currency": comparison.settings.currency}
        key = "counted_on_unknown" if row["cost"] is None else "counted_on_cost"
        words = {
            "order": row["order"],
            "product": names[row["side"]].called(row["product"]),
            "amount": figures.fitting(row["units"]),
            "start": row["start"],
            "side": called[row["side"]],
            "cost": say(f"compare.{key}", language, **money),
        }
        lines.append(say("compare.counted_on", language, **words))
    return lines
