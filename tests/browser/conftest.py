"""What the pages of a firm show: the mill whose orders are given out."""

from forms.conftest import app, clock, given_out, served

__all__ = ["app", "clock", "given_out", "served"]
