"""No secret of a database's address is shown or kept, whatever place of it the secret is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from datong.model.errors import DatongError
from datong.model.settings import ChainSettings
from datong.store.postgres.address import Address, read_address, shown
from datong.store.postgres.ledger import open_ledger


@pytest.mark.parametrize(
    ("text", "plain", "secrets"),
    [
        ("postgresql://u@h/d", "postgresql://u@h/d", {}),
        ("postgres://u:p%23w@h:5/d", "postgres://u@h:5/d", {"password": "p#w"}),
        ("postgresql://u:a:b@[::1]:5,k/d", "postgresql://u@[::1]:5,k/d", {"password": "a:b"}),
        (
            "postgresql://u@h/d?password=s%20&sslmode=allow",
            "postgresql://u@h/d?sslmode=allow",
            {"password": "s "},
        ),
        ("postgresql://u:1@h/d?pass%77ord=s", "postgresql://u@h/d", {"password": "s"}),
        ("postgresql:///d?host=/tmp&sslpassword=k", "postgresql:///d?host=/tmp", {"sslpassword": "k"}),
        ("postgresql://u:@h", "postgresql://u@h", {}),
        ("postgresql://", "postgresql://", {}),
    ],
)
def test_secrets_are_apart(text: str, plain: str, secrets: dict[str, str]) -> None:
    assert read_address(text) == Address(plain, secrets) and shown(text) == plain
    told = conninfo_to_dict(text)  # as libpq reads it
    assert {name: told[name] for name in ("password", "sslpassword") if told.get(name)} == secrets
    assert conninfo_to_dict(plain) == {name: value for name, value in told.items() if name not in secrets}


UNREADABLE = [
    "postgres://u:p/w#secret@h/db",
    "postgres://u:5/secret@h/db",
    "postgres://u:p#secret@h/db",
    "postgres://u:p?secret@h/db",
    "postgres://u:p@secret@h/db",
    "postgres://u:secret",
    "postgres://u:secret/db",
    "postgres://u:p%zzsecret@h/db",
    "postgres://u:secret%00@h/db",
    "postgres://u@h/db?secret",
    "postgres://u@h/db#secret",
    "postgres://u@h/db?password=a?secret",
    "host=h password=secret",
    "Postgres://u:secret@h/db",
    "postgres:/u:secret@h/db",
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_refused_and_not_quoted(text: str) -> None:
    assert "secret" not in shown(text)
    with pytest.raises(DatongError) as caught:
        open_ledger(text, ChainSettings("A"))
    for language in ("en", "zh"):
        assert "secret" not in caught.value.message.text(language)
        assert "%23" in caught.value.message.text(language)


@given(st.text("ab:/?#@%=[], 5", max_size=8), st.sampled_from(["u:{}@h/d", "u@h/d?password={}", "u@h?sslpassword={}"]))
def test_whatever_stands_in_the_place_of_a_password_is_not_shown(middle: str, place: str) -> None:
    assert "SECRET" not in shown("postgresql://" + place.format(f"SECRET{middle}SECRET"))
