"""What-ifs, hours, quotes and the search over the API."""

from datong.app.service.served_chain import Served
from rest_client import ended


def test_a_what_if_is_made_changed_run_compared_and_taken_over(planned: Served, planner) -> None:
    made = planner.post("/branches", {"name": "more hours", "note": "overtime"})
    assert made.status_code == 201 and made.json()["parent"] == "main"
    name = made.json()["name"]
    assert [one["name"] for one in planner.get("/branches").json()["rows"]] == [name]
    rows = planner.get(f"/branches/{name}/rows/lines").json()
    assert rows["rows"][0]["key"] == "A"
    change = {"changes": [{"table": "lines", "key": "A", "column": "hours_per_week", "text": "60"}]}
    wrong = {"changes": [{"table": "lines", "key": "A", "column": "hours_per_week", "text": "many"}]}
    refused = planner.post(f"/branches/{name}/changes", wrong)
    assert refused.status_code == 422 and refused.json()["findings"]
    assert planner.post(f"/branches/{name}/changes", change).json()["reports"][0]["table"] == "lines"
    assert planner.get(f"/branches/{name}/comparison").status_code == 409  # it has no plan yet
    assert ended(planner, planner.post(f"/branches/{name}/runs").json()["job"])["state"] == "done"
    compared = planner.get(f"/branches/{name}/comparison").json()
    assert compared["b"]["name"] == name and compared["tables"]["cost"]
    new = {"table": "lines", "values": {"line": "B", "hours_per_week": "10"}}
    assert planner.post(f"/branches/{name}/changes", {"changes": [new]}).status_code == 200
    said = {(one["column"], one["wanted"]) for one in planner.get(f"/branches/{name}/changes").json()["rows"]}
    assert ("hours_per_week", "60.0") in said
    taken = planner.post(f"/branches/{name}/taking-over", {"why": "agreed"}).json()
    assert taken["written"]["lines"]
    assert {r["line"]: r["hours_per_week"] for r in planner.get("/branches/main/rows/lines").json()["rows"]} == {
        "A": 60,
        "B": 10,
    }
    assert planner.ask("DELETE", f"/branches/{name}").json() == {"done": True}
    assert planner.ask("DELETE", f"/branches/{name}").status_code == 404


def test_hours_and_what_stands_in_the_way(planned: Served, planner) -> None:
    hours = planner.get("/market/hours").json()
    assert hours["lines"][0][0] == "A" and hours["cells"][0]["available_hours"] == 40
    assert isinstance(planner.get("/market/scarce").json(), list)
    lost = planner.get("/market/lost").json()
    assert lost["total"] == len(lost["rows"])
    assert isinstance(planner.get("/market/in-the-way").json()["rows"], list)


def test_a_quote_is_a_job_and_not_asked_for_in_numbers(planned: Served, planner, clock) -> None:
    quote = {"product": "P", "units": 3, "due": "2026-03-20"}
    quoted = ended(planner, planner.post("/quotes", quote).json()["job"])
    assert quoted["state"] == "done" and quoted["result"]["summary"]
    assert planner.post("/quotes", quote | {"product": "none"}).status_code == 404
    assert planner.post("/quotes", quote | {"units": -1}).status_code == 422
    clock.later(minutes=5)
    often = [planner.post("/quotes", quote | {"product": "none"}).status_code for _ in range(11)]
    assert often == [404] * 10 + [429]  # in numbers they would tell a rival's hours
    by_job = planner.post("/jobs", {"kind": "quote", "asked": quote})
    assert by_job.status_code == 422  # no way around it


def test_a_search_over_everything(planned: Served, planner) -> None:
    hits = planner.get("/search?text=p").json()["hits"]
    assert {"kind": "product", "key": "P", "name": "", "says": ""} in hits
