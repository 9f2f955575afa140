"""The shared cases as tests, and the referee that they are held to."""

import pytest

pytest.register_assert_rewrite("cases.plans", "cases.rights")
