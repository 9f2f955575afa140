"""What a rush order would cost, as a job: two plans of a large chain take minutes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from datong.app.chain import Chain
from datong.ledger.state import State
from datong.model.flow import Learnt
from datong.questions.quote import Order, QuoteResult, quote

# Ways, later weeks and others who wait that an answer names.
MOST_WAYS, MOST_WEEKS, MOST_WAITS = 10, 12, 20


@dataclass(frozen=True, eq=False)
class QuoteAsked:
    """A quote that is asked for. branch: the what-if that the state is of, None: the trunk."""

    state: State
    learnt: Learnt
    seed: int
    branch: str | None
    order: Order

    def answer(self, on_stage: Callable[[str], None]) -> QuoteResult:
        """Raises as `questions.quote`."""
        on_stage("balance")
        return quote(self.state, self.learnt, self.seed, self.order, branch=self.branch)


def ask_quote(chain: Chain, asked: Mapping[str, Any]) -> QuoteAsked:
    """asked: product, units, due (a day, as text), and perhaps market and branch."""
    view = chain.on(asked.get("branch"))
    state = view.state()
    view.can_plan(state)
    due = date.fromisoformat(asked["due"])
    order = Order(asked["product"], float(asked["units"]), due, asked.get("market"))
    return QuoteAsked(state, view.learnt(state.as_of), view.seed_of(None), view.branch_name, order)


def keep_quote(_chain: Chain, _asked: Mapping[str, Any], answer: QuoteResult) -> Mapping[str, Any]:
    """What a quote says, as JSON has it; nothing of it is kept in the chain. waits: null where no difference of two
    plans was worked out. later: orders of customers that come later, beside those of `waits`."""
    ways = answer.tables["alternatives"].slice(0, MOST_WAYS).to_pylist()
    weeks = answer.tables["weeks"].slice(0, MOST_WEEKS).to_pylist()
    waits = answer.tables["waits"].slice(0, MOST_WAITS).to_pylist() if "waits" in answer.tables else None
    later = answer.tables["later"].slice(0, MOST_WAITS).to_pylist() if "later" in answer.tables else []
    named = {answer.summary["product"], answer.summary["scarce"], *(row["product"] for row in [*(waits or []), *later])}
    products = [row for row in answer.products.to_pylist() if row["product"] in named]
    summary = dict(answer.summary)
    return {"summary": summary, "ways": ways, "weeks": weeks, "waits": waits, "later": later, "products": products}
