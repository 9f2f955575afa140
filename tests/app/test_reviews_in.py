"""Reviews from a file: what is personal is masked in all that is kept or shown, in good rows and in those held back."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from tests.app.test_promotions import day, shop

from datong.app.chain import Chain
from datong.app.cli.main import main

SECRETS = ("13812345678", "a.person@mail", "王小明")
REVIEWS = (
    "review,happened_at,product,rating,text\n"
    f"r1,{day(20)},TEA,5,请联系 13812345678，收货人：王小明\n"
    f"r2,{day(20)},TEA,9,mail a.person@mail.example\n"
    f"r3,{day(20)},NONE,3,收货人：王小明\n"
    f"r4,{day(20)},CUP,3,call 13812345678, or mail a.person@mail.example\n"
)


def test_no_personal_data_of_a_review_is_kept_or_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shop(tmp_path / "shop", more={"reviews.csv": REVIEWS})
    for words in (["check", str(folder)], ["run", str(folder), "--as-of", day(30, 0)], ["findings", str(folder)]):
        main([*words, "--lang", "en"])
    main(["quarantine", str(folder), "--format", "json"])
    shown = "".join(capsys.readouterr())
    assert "[phone]" in shown
    assert "[email]" in shown
    with closing(Chain(folder)) as chain:
        (row,) = chain.state().table("reviews").to_pylist()
        kept = json.dumps([row["text"], chain.ledger.quarantined().to_pylist()], ensure_ascii=False, default=str)
    assert row["text"] == "请联系 [phone]，收货人：[name]"
    for secret in SECRETS:
        assert secret not in shown
        assert secret not in kept
        assert secret.encode() not in (folder / ".datong" / "ledger.duckdb").read_bytes()
