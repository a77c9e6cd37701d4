"""The shop as installed: what it shows is what its content says, and its time stands still."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from turngym.envs.browser import sites
from turngym.envs.browser.sites import Instance
from turngym.envs.browser.sites.shop import content

EMMA = content.CUSTOMERS[0]


class Visitor:
    """Somebody with a browser that has no pictures, logged in if a user is given."""

    def __init__(self, shop: Instance, user: str | None = None) -> None:
        self.shop = shop
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._headers = [f"{cookie['name']}={cookie['value']}" for cookie in shop.cookies(user)] if user else []

    def page(self, path: str) -> str:
        return self._ask(path, None)

    def post(self, path: str, after: str, **fields: str) -> str:
        """Fill the form on page ``after`` that goes to ``path``."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page(after))
        assert token is not None
        return self._ask(path, {**fields, "csrfmiddlewaretoken": token[1]})

    def _ask(self, path: str, fields: dict[str, str] | None) -> str:
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self.shop.address + path, data)
        if self._headers:
            request.add_header("Cookie", "; ".join(self._headers))
        with self._opener.open(request, timeout=60) as answer:
            return str(answer.read().decode())


def text(page: str) -> str:
    """Return what a page says, in one line."""
    return " ".join(unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.S)).split())


@pytest.fixture(scope="module")
def installed() -> None:
    sites.install("shop")  # at once where it is


@pytest.fixture(scope="module")
def shops(installed: None) -> Iterator[tuple[Instance, Instance]]:
    one, two = Instance("shop"), Instance("shop")
    yield one, two
    one.close()
    two.close()


@pytest.fixture
def shop(shops: tuple[Instance, Instance]) -> Instance:
    shops[0].restore()
    return shops[0]


def test_installing_again_does_nothing(installed: None) -> None:
    assert sites.installed("shop")
    assert sites.install("shop") is False
    assert sites.missing(["shop"]) is None


def test_products_are_shown_as_they_are(shop: Instance) -> None:
    visitor = Visitor(shop)
    for product in content.products()[::13]:
        page = text(visitor.page(product.path))
        stock = f"In stock ({product.stock} available)" if product.stock else "Unavailable"
        assert [part for part in (product.title, content.dollars(product.price), stock) if part not in page] == []
        assert all(f"{name} {value}" in page for name, value in product.facts)
        assert f"Number of reviews {len(content.reviews_of(product))}" in page


@pytest.mark.parametrize("name", [*content.categories(), *content.DEPARTMENTS])
def test_a_category_has_its_products_in_any_order(shop: Instance, name: str) -> None:
    rows = content.in_category(name)
    page = Visitor(shop).page(content.category_path(name) + "?sort_by=price-desc")
    shown = re.findall(r'<h3><a href="([^"]+)"', page)
    assert shown == [row.path for row in sorted(rows, key=lambda row: -row.price)][:12]
    assert f"{len(rows)} results" in text(page)


def test_a_search_finds_what_has_all_words_and_titles_first(shop: Instance) -> None:
    visitor = Visitor(shop)

    def found(words: str) -> list[str]:
        return re.findall(r'<h3><a href="([^"]+)"', visitor.page("/search/?" + urllib.parse.urlencode({"q": words})))

    for product in content.products()[::7]:
        assert found(product.title)[0] == product.path
        assert found(product.upc) == [product.path]
    assert sorted(found("kettle")) == sorted(row.path for row in content.products() if row.kind == "kettle")
    assert found("lawn mower") == []


def test_filters_narrow_a_list(shop: Instance) -> None:
    page = Visitor(shop).page("/catalogue/?selected_facets=price:100-&selected_facets=stock:yes")
    rows = [row for row in content.products() if row.price >= 10000 and row.stock]
    assert f"{len(rows)} results" in text(page)


def test_baskets_are_apart_and_restored(shops: tuple[Instance, Instance], shop: Instance) -> None:
    other = shops[1]
    other.restore()
    page = Visitor(shop, EMMA.email).post("/basket/add/3/", "/catalogue/gooseneck-kettle_3/", quantity="1")
    assert "Gooseneck Kettle" in text(page)
    assert "Gooseneck Kettle" in text(Visitor(shop, EMMA.email).page("/basket/"))
    assert "Your basket is empty" in text(Visitor(other, EMMA.email).page("/basket/"))
    shop.restore()
    assert "Your basket is empty" in text(Visitor(shop, EMMA.email).page("/basket/"))


@pytest.mark.parametrize("user", content.USERS)
def test_users_are_logged_in_after_restoring(shop: Instance, user: str) -> None:
    shop.restore()
    page = Visitor(shop, user).page("/accounts/profile/")
    assert user in page
    assert "Log out" in page or "Logout" in page


def test_orders_are_those_of_the_customer(shop: Instance) -> None:
    page = text(Visitor(shop, EMMA.email).page("/accounts/orders/"))
    for order in content.orders():
        mine = order.customer == EMMA.id
        assert (f"{order.number} {sum(many for _, many in order.lines)} {content.dollars(order.total)}" in page) == mine
    order = content.orders_of(EMMA)[0]
    page = text(Visitor(shop, EMMA.email).page(f"/accounts/orders/{order.number}/"))
    assert f"Status {order.status}" in page
    assert f"Order total {content.dollars(order.total)}" in page


def test_time_stands_still_but_for_what_is_done(shop: Instance) -> None:
    visitor = Visitor(shop, EMMA.email)
    for stars in ("4", "2"):
        product = content.product(int(stars))
        form = f"{product.path}reviews/add/"
        visitor.post(form, form, title=f"Number {stars}", score=stars, body="As new.")
        assert "on Jan. 15, 2024, 9 a.m." in text(visitor.page(f"{product.path}reviews/?sort_by=recency"))
    with urllib.request.urlopen(shop.address + "/catalogue/", timeout=60) as answer:
        assert answer.headers["Date"] == "Mon, 15 Jan 2024 09:00:02 GMT"


def test_pages_come_out_alike_after_restoring(shop: Instance) -> None:
    pages = []
    for _ in range(2):
        shop.restore()
        pages.append(Visitor(shop).page("/catalogue/gooseneck-kettle_3/"))
    assert pages[0] == pages[1]


def test_nothing_on_a_page_comes_from_elsewhere_or_is_missing(shop: Instance) -> None:
    visitor = Visitor(shop, content.STAFF[0])
    for path in ("/catalogue/", "/catalogue/gooseneck-kettle_3/", "/basket/", "/dashboard/", "/accounts/orders/"):
        page = visitor.page(path)
        links = re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="([^"]+)"', page)
        assert len(links) > 3
        for link in links:
            assert link.startswith("/")
            with urllib.request.urlopen(shop.address + link, timeout=60) as answer:
                assert "max-age=315360000" in answer.headers["Cache-Control"]


def test_a_page_that_is_not_there_is_not_there(shop: Instance) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        Visitor(shop).page("/catalogue/grand-piano_999/")


def test_every_kind_of_thing_has_a_picture() -> None:
    lines = (sites.site("shop").folder / "server" / "shapes.txt").read_text().splitlines()
    drawn = {line.partition(":")[0] for line in lines if ":" in line}
    assert {product.kind for product in content.products()} == drawn
    assert len(list(Path(sites.site("shop").folder / "server").glob("*.py"))) > 3
