"""The helpers that ask a shop's web API, on a server that answers as Magento does, and as a broken one does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from turngym.envs import InfraError
from turngym.envs.browser.webarena import HELPERS

LATEST = HELPERS["shopping_get_latest_order_url"]
AUTHOR = HELPERS["shopping_get_sku_latest_review_author"]
RATING = HELPERS["shopping_get_sku_latest_review_rating"]


@pytest.fixture
def shop():
    """A shop: ``answers`` by path, ``asked`` in order, ``token`` for who logs in."""

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):
            login = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((self.path, login))
            self.give(server.token)

        def do_GET(self):
            server.asked.append((self.path, self.headers["Authorization"]))
            self.give(server.answers.get(self.path.partition("?")[0], 404))

        def give(self, value):
            self.send_response(value if isinstance(value, int) else 200)
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *rest):
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        server.answers, server.asked, server.token = {}, [], "secret"
        server.addresses = {"__SHOPPING__": f"http://127.0.0.1:{server.server_address[1]}/"}
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_the_newest_order(shop):
    shop.answers["/rest/V1/orders"] = {"items": [{"increment_id": "000000191"}]}
    base = shop.addresses["__SHOPPING__"].rstrip("/")
    assert LATEST(addresses=shop.addresses) == f"{base}/sales/order/view/order_id/191/"
    (login, who), (path, key) = shop.asked
    assert login == "/rest/default/V1/integration/admin/token"
    assert who == {"username": "admin", "password": "admin1234"}
    assert key == "Bearer secret"
    assert "searchCriteria%5BpageSize%5D=1" in path
    assert "%5Bfield%5D=created_at" in path
    assert "%5Bdirection%5D=DESC" in path


def test_the_administrator_is_who_the_environment_says(shop, monkeypatch):
    monkeypatch.setenv("SHOPPING_ADMIN_USERNAME", "ada")
    monkeypatch.setenv("SHOPPING_ADMIN_PASSWORD", "word")
    shop.answers["/rest/V1/orders"] = {"items": []}
    assert LATEST(addresses=shop.addresses) == ""
    assert shop.asked[0][1] == {"username": "ada", "password": "word"}


def test_the_newest_review(shop):
    reviews = [{"nickname": name, "ratings": [{"rating_name": "Rating", "percent": percent}]}
               for name, percent in (("Ada", 40), ("Emma", 100))]  # fmt: skip
    shop.answers["/rest/V1/products/B%2F1/reviews"] = reviews
    shop.answers["/rest/V1/products/none/reviews"] = []
    assert AUTHOR("B/1", addresses=shop.addresses) == "Emma"
    assert RATING("B/1", addresses=shop.addresses) == "100"
    assert AUTHOR("none", addresses=shop.addresses) == RATING("none", addresses=shop.addresses) == ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (404, "HTTP 404"), (500, "HTTP 500"), (b"<html>", "Expecting value"),
        ({"message": "no"}, "unexpected answer .KeyError"),
        ({"items": [{"increment_id": "x"}]}, "unexpected answer .ValueError"), ([], "unexpected answer .TypeError"),
        (None, "unexpected answer .TypeError"),
    ],
)  # fmt: skip
def test_a_shop_that_is_broken_is_no_score(shop, answer, why):
    shop.answers["/rest/V1/orders"] = answer
    with pytest.raises(InfraError, match=why) as caught:
        LATEST(addresses=shop.addresses)
    assert caught.value.kind == "site_down"


def test_a_shop_that_is_not_there_is_no_score(shop):
    shop.token = 401
    with pytest.raises(InfraError, match=r"site_down: .*/admin/token: HTTP 401"):
        AUTHOR("x", addresses=shop.addresses)
    with pytest.raises(InfraError, match=r"site_down: .*refused"):
        RATING("x", addresses={"__SHOPPING__": "http://127.0.0.1:1"})
    with pytest.raises(InfraError, match=r"site_down: .*no address is given for __SHOPPING__"):
        RATING("x", addresses={"__REDDIT__": "http://h"})
