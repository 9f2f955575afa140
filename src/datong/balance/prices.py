"""The door of prices (being built)."""

from datong.balance.pack import Market
from datong.balance.solution import Solution


def solve(market: Market) -> Solution:
    raise NotImplementedError
