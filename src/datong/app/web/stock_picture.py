"""Stock of a product as the last plan expects it: what comes, what goes, and what is left, bucket by bucket."""

from collections.abc import Sequence
from typing import Any

from datong.app.web.visit import Visit
from datong.app.wording import figures

GREY = "#8a94a3"


def _colour(colour: str) -> dict[str, Any]:
    """One that is seen on light and dark."""
    return {"itemStyle": {"color": colour}, "lineStyle": {"color": colour}}


def stock_picture(visit: Visit, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A picture (ECharts) of rows as `service/stock.py` gives them."""
    units = {name: [round(row[f"{name}_units"], 2) for row in rows] for name in ("comes", "goes", "closing")}
    return {
        "animation": False,
        "grid": {"left": 48, "right": 8, "top": 30, "bottom": 24},
        "legend": {"top": 0, "textStyle": {"color": "#808a98"}},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": [figures.short_day(row["bucket"], visit.language) for row in rows]},
        "yAxis": {"type": "value"},
        "series": [
            {"name": visit.say("web_plan.comes"), "type": "bar", "data": units["comes"], **_colour("#3b82c4")},
            {"name": visit.say("web_plan.goes"), "type": "bar", "data": units["goes"], **_colour("#d97a1f")},
            {
                "name": visit.say("web_plan.left"),
                "type": "line",
                "step": "end",
                "data": units["closing"],
                **_colour(GREY),
            },
        ],
    }
