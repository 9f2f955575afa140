"""Whether a file is a list of sales: by its name, its headers, its platform; else a question."""

import re

from datong.connectors.exports.export import Export
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.findings import finding
from datong.model.words import message


def ask_for_file(name: str, asking: Asking) -> None:
    """A file whose name says that it holds something else is read as sales only after a question."""
    stem = plain(name.rpartition(".")[0] or name)
    said = set(re.findall(r"[^\W\d_]+", stem))
    other = [w for w in words("files", "other") if w in said or (not w.isascii() and w in stem)]
    if other and not any(w in stem for w in ("sales", "销售", "verkauf")):
        option = Option("sales", message("export.reading.sales"))
        asks = message("export.asks.file", name=shown(name))
        asking.ask(Question(f"file:{min(other)}", asks, (), (), (option,)))


def is_no_list_of_sales(export: Export) -> bool:
    """Whether it is a list of purchases or of production: by its profile, or as somebody answers."""
    profile = export.profile
    if profile is not None and profile.holds == "either":
        options = tuple(Option(n, message(f"export.reading.list_{n}")) for n in ("sales", "purchases"))
        asks = message("export.asks.list", name=profile.name)
        key = f"list:{profile.key}"
        chosen = export.asking.ask(Question(key, asks, (), (), options))
        purchases = chosen == "purchases"
    elif profile is not None:
        purchases = profile.holds == "purchases"
    else:
        purchases = False
        _ask_for_list(export)
    if purchases and profile is not None:
        export.findings.append(finding("error", "export.purchases", export.name, name=profile.name))
    return purchases


def _ask_for_list(export: Export) -> None:
    """Headers that only lists of purchases or of production have, and no customer: sales only after a question."""
    if export.choice.column("customer") is not None:
        return
    for what in ("purchases", "production"):
        said = [name for name in export.columns if plain(name).strip(" .:：#") in words("lists", what)]
        if said:
            option = Option("sales", message("export.reading.sales"))
            asks = message(f"export.asks.list_of_{what}", columns=shown(", ".join(said)))
            export.asking.ask(Question(f"list:{what}", asks, tuple(said), (), (option,)))
