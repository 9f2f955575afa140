"""Products by the names that people know them by, beside their codes."""

from collections.abc import Mapping

import pyarrow as pa

from datong.model.fractional_units import PIECE


class Names:
    """Names and units of the products of a run. A code that it does not know stands by itself."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        told = tables["products"] if "products" in tables and tables["products"].num_rows else None
        columns = () if told is None else (told[name].to_pylist() for name in ("product", "name", "base_unit"))
        rows = list(zip(*columns, strict=True))
        self.named: Mapping[str, str] = {product: name for product, name, _ in rows if name and name != product}
        self.units: Mapping[str, str] = {product: unit or PIECE for product, _, unit in rows}

    def name(self, product: str | None) -> str:
        """The name, or '' where there is none but the code; of a stock point ('A@F1') that of its product."""
        if product is None:
            return ""
        return self.named.get(product) or self.named.get(product.rpartition("@")[0], "")

    def beside(self, product: str) -> str:
        """For a table: 'MTB · Mountain bike'."""
        name = self.name(product)
        return f"{product} · {name}" if name else product

    def called(self, product: str) -> str:
        """For a sentence: 'Mountain bike (MTB)'; of a stock point 'Mountain bike (MTB) @ F1'."""
        name = self.name(product)
        if not name or product in self.named:
            return f"{name} ({product})" if name else product
        code, _, site = product.rpartition("@")
        return f"{name} ({code}) @ {site}"

    def thing(self, name: str, unit: str | None) -> str:
        """Something scarce: a line, counted in hours, by its own name; a material as a product is called."""
        return name if unit == "hour" else self.called(name)

    def unit(self, product: str) -> str:
        return self.units.get(product, PIECE)
