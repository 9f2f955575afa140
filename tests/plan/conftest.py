"""The random chains of these tests are the same, and so are their lots."""

from searched import lots_are_searched_once

__all__ = ["lots_are_searched_once"]
