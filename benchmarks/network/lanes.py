"""The network of chain.py at places of their own, with lanes between them.

Finished products are made in the same factories, components in plants of their own. A plant ships to the depot, the
depot to every factory, a factory to three distribution centres, each with lead times, cost and, every fifth lane to a
centre, little more capacity than the mean week needs. Each product is asked for at two of the centres. Materials arrive
where they are used; their stock is split by what each plant needs. Stock of finished products lies at the centres, for
the weeks until the first shipment is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from network.chain import RECIPES, Chain

from datong.ledger.state import in_state_schema
from datong.model.flow import Forecast, Item

CENTRES, DEPOT = 3, "DEPOT"
# Weeks from a factory to the centre of its region and to the other ones; money per unit.
NEAR_WEEKS, FAR_WEEKS, NEAR_COST, FAR_COST, DEPOT_COST = 1, 2, 0.5, 1.2, 0.2
# Share of demand that is asked for at a product's first centre, weeks of it that lie there, and how much more than the
# mean week a lane with little capacity carries.
FIRST_SHARE, STOCK_WEEKS, SPARE = 0.6, 2, 1.15


def with_lanes(chain: Chain, seed: int) -> Chain:
    """The chain at its sites. Its `base` is not known: transport is part of what no plan avoids."""
    random = np.random.default_rng([seed, len(chain.demand.items), CENTRES])
    state = chain.state
    names = [item.product for item in chain.demand.items]
    lines = state.table("lines")
    line, site = lines["line"].to_pylist(), lines["site"].to_pylist()
    site = [s.replace("FAC", "PLANT") if name.startswith("C") else s for name, s in zip(line, site, strict=True)]
    site_of = dict(zip(line, site, strict=True))
    factories = sorted({s for s in site if s.startswith("FAC")})
    plants = sorted({s for s in site if s.startswith("PLANT")})
    centres = [f"DC{i}" for i in range(CENTRES)]

    first = random.integers(0, CENTRES, len(names))
    centre_of = np.stack([first, (first + random.integers(1, CENTRES, len(names))) % CENTRES])  # (place, product)
    asked = np.stack([np.round(FIRST_SHARE * chain.demand.paths[:, 0]), chain.demand.paths[:, 0]])
    asked[1] -= asked[0]  # (place, product, week)

    carried = np.zeros((len(factories), CENTRES))
    at = {p: i for i, p in enumerate(names)}
    recipes = state.table("recipes")
    for product, made_on in zip(recipes["product"].to_pylist(), recipes["line"].to_pylist(), strict=True):
        if product in at:
            mean = asked[:, at[product]].mean(axis=1) / RECIPES
            np.add.at(carried[factories.index(site_of[made_on])], centre_of[:, at[product]], mean)
    rows = [(plant, DEPOT, 0.0, DEPOT_COST, None) for plant in plants]
    rows += [(DEPOT, factory, 0.0, DEPOT_COST, None) for factory in factories]
    for i, factory in enumerate(factories):
        for j, centre in enumerate(centres):
            near = i % CENTRES == j
            most = round(SPARE * carried[i, j]) if (i * CENTRES + j) % 5 == 0 else None
            weeks, cost = (NEAR_WEEKS, NEAR_COST) if near else (FAR_WEEKS, FAR_COST)
            rows.append((factory, centre, 7.0 * weeks, cost, most))
    start, end, lead_days, cost, most = zip(*rows, strict=True)
    lanes = {
        "lane": [f"{a}-{b}" for a, b in zip(start, end, strict=True)],
        "from_site": start,
        "to_site": end,
        "lead_days": lead_days,
        "cost_per_unit": cost,
        "units_per_week": pa.array(most, pa.float64()),
    }

    stock = state.table("stock")
    lies = list(zip(stock["product"].to_pylist(), stock["units"].to_pylist(), strict=True))
    shares = _shares_of_plants(chain, site_of)
    of_parts = [(p, DEPOT, u) for p, u in lies if p not in at and p not in shares]
    of_parts += [(p, plant, u * share) for p, u in lies for plant, share in shares.get(p, {}).items()]
    of_finished = [
        (p, centres[centre_of[k, i]], float(asked[k, i, :STOCK_WEEKS].sum()))
        for i, p in enumerate(names)
        for k in (0, 1)
    ]
    product, where, units = zip(*of_finished, *of_parts, strict=True)
    moment = stock["happened_at"][0].as_py()
    counted = {"happened_at": [moment] * len(units), "product": product, "site": where, "units": units}

    kind = ["factory"] * (len(plants) + 1) + ["warehouse"] * CENTRES
    sites = state.table("sites").select(["site", "kind"]).to_pylist()
    sites += [{"site": s, "kind": k} for s, k in zip([*plants, DEPOT, *centres], kind, strict=True)]
    tables = {
        "lines": lines.set_column(lines.schema.get_field_index("site"), "site", pa.array(site, pa.string())),
        "sites": in_state_schema("sites", pa.Table.from_pylist(sites)),
        "lanes": in_state_schema("lanes", pa.table(lanes)),
        "stock": in_state_schema("stock", pa.table(counted)),
        "demand": _at_centres(state.table("demand"), {p: [centres[c] for c in centre_of[:, i]] for p, i in at.items()}),
    }
    items = tuple(Item(p, centres[centre_of[k, i]]) for i, p in enumerate(names) for k in (0, 1))
    paths = np.ascontiguousarray(asked.transpose(1, 0, 2).reshape(len(items), 1, -1))
    none = np.zeros(len(items))
    starts = chain.demand.bucket_starts
    forecast = Forecast(items, starts, paths, ("given",) * len(items), none.astype(np.int64), none.astype(bool))
    name, unknown = f"{chain.name}, with lanes", float("nan")
    return replace(chain, name=name, state=state.with_tables(**tables), demand=forecast, base=unknown, optimum=unknown)


def _at_centres(demand: pa.Table, centres_of: Mapping[str, Sequence[str]]) -> pa.Table:
    """Every order at the two centres that ask for its product."""
    rows = []
    for row in demand.to_pylist():
        first = round(FIRST_SHARE * row["units"])
        for centre, units in zip(centres_of[row["product"]], (first, row["units"] - first), strict=True):
            rows.append(row | {"demand": f"{row['demand']}-{centre}", "market": centre, "units": units})
    return in_state_schema("demand", pa.Table.from_pylist(rows, demand.schema))


def _shares_of_plants(chain: Chain, site_of: dict[str, str]) -> dict[str, dict[str, float]]:
    """Of each material, the share that each plant's components need for all demand."""
    made_at = {
        product: site_of[line]
        for product, line in zip(
            *(chain.state.table("recipes")[c].to_pylist() for c in ("product", "line")), strict=True
        )
    }
    uses = chain.state.table("components").select(["product", "component", "units_per_unit"]).to_pylist()
    need = {
        item.product: float(paths.sum()) for item, paths in zip(chain.demand.items, chain.demand.paths, strict=True)
    }
    sold = set(need)
    for use in uses:
        if use["product"] in sold:
            need[use["component"]] = need.get(use["component"], 0.0) + need[use["product"]] * use["units_per_unit"]
    units: dict[str, dict[str, float]] = {}
    for use in uses:
        if use["product"] not in sold:
            at = units.setdefault(use["component"], {})
            plant = made_at[use["product"]]
            at[plant] = at.get(plant, 0.0) + need.get(use["product"], 0.0) * use["units_per_unit"]
    return {
        material: {plant: u / max(sum(at.values()), 1e-9) for plant, u in at.items()} for material, at in units.items()
    }
