"""The Python client's lists: pages, limits, search and filters."""

from tests.unit.client.test_client import Server, page


def test_lists_fetch_pages_as_they_are_needed() -> None:
    """Nothing is requested before the first row is read or after the last."""
    server = Server(page(1, 2, then="a b"), page(3))
    jobs = server.client.list(status="failed")
    assert server.requests == []
    assert [job["n"] for job in jobs] == [1, 2, 3]
    assert server.asked == ["GET /v1/jobs?status=failed&limit=100", "GET /v1/jobs?status=failed&cursor=a+b&limit=100"]


def test_a_list_is_searched_and_filtered() -> None:
    """Filters that are None are not sent; metadata becomes one parameter for each member."""
    server = Server(page(1))
    list(server.client.list(q="data jane", label=None, language="en", metadata={"team": "x", "remote": True}))
    query = {"q": "data jane", "language": "en", "metadata[team]": "x", "metadata[remote]": "true", "limit": "100"}
    assert dict(server.requests[0].url.params) == query


def test_a_limit_holds_across_pages() -> None:
    """The second page is no longer than the rest."""
    server = Server(page(1, 2, then="x"), page(3, then="y"))
    assert [row["n"] for row in server.client.ledger(limit=3)] == [1, 2, 3]
    assert server.asked == ["GET /v1/credits/ledger?limit=3", "GET /v1/credits/ledger?cursor=x&limit=1"]
