"""A served mill with two firms and a supplier, its orders given out: who sees and answers what."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from datong.app.chain import Chain
from datong.app.release_orders import release
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served
from mill import write

MILL, PRESS, SEEDS = "Mill One", "Press Two", "V1"
FILES = {
    "chain_toml": 'name = "mill"\nhorizon_buckets = 4\nstart = 2026-03-02\nhistory = "live"\n',
    "sites_csv": "site,kind,firm,address\nW1,factory,Mill One,1 Mill Road\nW2,factory,Press Two,\nV1,supplier,,\n",
    "lines_csv": "line,hours_per_week,site,name\nA,40,W1,Stone mill\nB,40,W2,Oil press\n",
    "products_csv": "product,price,kind,name\nP,100,finished,Flour\nQ,50,finished,Oil\nM,4,material,Grain\n",
    "recipes_csv": "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\nQ/1,Q,B,1,5\n",
    "offers_csv": "offer,product,price,lead_days,site\nM/V,M,4,0,V1\n",
    "firms_csv": "firm,name,language\nMill One,一号磨坊,zh\nPress Two,Press Two Ltd,en\n",
    "demand_csv": "demand,product,due,units\nd1,P,2026-03-04,35\nd2,P,2026-03-12,50\nd3,Q,2026-03-05,7\n",
}
PASSWORD = "a long enough sentence"


def two_firms_given_out(folder: Path, now: Callable[[], datetime]) -> Path:
    """The folder of the chain, with a plan made and all of it released that is due."""
    with Chain(write(folder, **FILES), now) as chain:
        chain.run()
        release(chain, [], True)
    return folder


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def person(served: Served, login: str, firm: str | None, roles: tuple[str, ...] = ("factory",), language="en") -> Who:
    """Somebody with a password."""
    secret = served.people.invite(None, login, login, roles, firm, language)
    return served.people.accept(secret, PASSWORD).who
