"""The mill and the shop, served, as the tests of the API have them."""

from rest.conftest import clock, firms, planned, served, shop

__all__ = ["clock", "firms", "planned", "served", "shop"]
