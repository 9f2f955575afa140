"""Whether `datong serve` has a sign-in server: by the file in its folder, and the secret in the environment."""

from pathlib import Path

import pytest

from datong.app.server import sign_in_server
from datong.app.service.outside_sign_in import OIDC_FILE
from datong.app.service.served_chain import serve
from datong.model.errors import Refused
from mill import write
from sign_in_server import ADDRESS, CLIENT, ISSUER

TEXT = f'issuer = "{ISSUER}"\nclient_id = "{CLIENT}"\naddress = "{ADDRESS}"\nname = "Works"\n'


def test_it_is_there_where_the_folder_and_the_environment_say_so(tmp_path: Path) -> None:
    served = serve(write(tmp_path / "mill"), None)
    try:
        assert sign_in_server(served, tmp_path, {}) is None
        (tmp_path / OIDC_FILE).write_text(TEXT)
        with pytest.raises(Refused, match="DATONG_OIDC_SECRET"):
            sign_in_server(served, tmp_path, {})
        there = sign_in_server(served, tmp_path, {"DATONG_OIDC_SECRET": "s"})
        assert there is not None and there.name == "Works"
        (tmp_path / OIDC_FILE).write_text(TEXT + 'secret_variable = ""\n')
        assert sign_in_server(served, tmp_path, {}) is not None
        (tmp_path / OIDC_FILE).write_text("none = 1")
        with pytest.raises(Refused, match="none"):
            sign_in_server(served, tmp_path, {})
    finally:
        served.close()
