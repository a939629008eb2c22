"""What goes over the wire for those who ask again and again, and for long lists."""

import gzip
import json

import pytest

from tests.api.serving import Served

MANY = 200


async def test_who_has_the_answer_is_told_so(api: Served) -> None:
    """A client that names the tag of what it has gets 304 and no body, until something changes."""
    first = await api.client.get("/ops/tasks")
    headers = {"If-None-Match": first.headers["ETag"]}

    again = await api.client.get("/ops/tasks", headers=headers)
    assert (304, b"", first.headers["ETag"]) == (again.status_code, again.content, again.headers["ETag"])

    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    changed = await api.client.get("/ops/tasks", headers=headers)
    assert 200 == changed.status_code
    assert ["a"] == [task["id"] for task in changed.json()["data"]]
    assert first.headers["ETag"] != changed.headers["ETag"]


async def test_one_of_several_tags_is_enough(api: Served) -> None:
    """Caches name all they have."""
    tag = (await api.client.get("/runs")).headers["ETag"]
    assert 304 == (await api.client.get("/runs", headers={"If-None-Match": f'W/"x", {tag}'})).status_code


async def test_long_answers_are_compressed_for_those_who_can(api: Served) -> None:
    """The same JSON in a tenth of the bytes, with the same tag; whole for those who did not ask."""
    await api.post("/ops/tasks", [{"id": f"t{n}", "title": "a task like the others"} for n in range(MANY)])
    async with api.client.stream("GET", "/ops/tasks", headers={"Accept-Encoding": "br, gzip;q=0.5"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    plain = await api.client.get("/ops/tasks", headers={"Accept-Encoding": "identity"})

    assert ("gzip", None) == (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding"))
    assert json.loads(gzip.decompress(raw)) == plain.json()
    assert len(raw) < len(plain.content) / 5
    assert packed.headers["ETag"] == plain.headers["ETag"]


@pytest.mark.parametrize("accepted", ["gzip;q=0", "gzip; q=0.0, *", "br", "*;q=0", "gzip;q=x"])
async def test_who_does_not_accept_gzip_is_sent_none(api: Served, accepted: str) -> None:
    """A weight of 0 refuses a coding."""
    await api.post("/ops/tasks", [{"id": f"t{n}", "title": "a task like the others"} for n in range(MANY)])
    plain = await api.client.get("/ops/tasks", headers={"Accept-Encoding": accepted})

    assert "Content-Encoding" not in plain.headers


async def test_short_answers_and_refusals_stay_as_they_are(api: Served) -> None:
    """No packet is saved by compressing a few bytes; a refusal has no tag."""
    short = await api.client.get("/ops/tasks", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers
    refused = await api.client.get("/ops/tasks/unknown")
    assert 404 == refused.status_code
    assert "ETag" not in refused.headers
    created = await api.client.post("/ops/tasks", json={"title": "A"})
    assert "ETag" not in created.headers


async def test_head_has_the_tag_and_no_body(api: Served) -> None:
    """HEAD answers as GET would, without the body."""
    assert (await api.client.get("/ops/tasks")).headers["ETag"] == (await api.client.head("/ops/tasks")).headers["ETag"]
