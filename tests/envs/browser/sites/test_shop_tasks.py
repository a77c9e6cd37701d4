"""The shop's tasks: drawn from its rows, the splits apart, and what is asked for agrees with the content."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from turngym.envs.browser.sites.shop import content
from turngym.envs.browser.sites.shop.tasks import GENERATOR
from turngym.envs.types import BadInput

SEEDS = range(12)
KEYS = {
    "sites", "task_id", "require_login", "storage_state", "start_url", "geolocation", "intent_template",
    "instantiation_dict", "intent", "intent_template_id", "require_reset", "eval",
}  # fmt: skip
TEMPLATES, generate = GENERATOR.templates, GENERATOR.generate
PRODUCTS = {product.title: product for product in content.products()}


def tasks(template: str, split: str = "train") -> list[dict[str, Any]]:
    return [generate(np.random.default_rng(seed), template, split) for seed in SEEDS]


def answers(template: str) -> list[tuple[dict[str, str], Any]]:
    found = [*tasks(template), *tasks(template, "test")]
    return [(task["instantiation_dict"], task["eval"]["reference_answers"]) for task in found]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_task_is_in_webarenas_form(template: str) -> None:
    for task in tasks(template):
        assert json.loads(json.dumps(task)) == task
        assert set(task) >= KEYS
        assert "{{" not in task["intent"]
        assert all(value in task["intent"] for value in task["instantiation_dict"].values())
        kinds = task["eval"]["eval_types"]
        assert kinds
        assert ("string_match" in kinds) == (task["eval"]["reference_answers"] is not None)
        assert ("url_match" in kinds) == bool(task["eval"]["reference_url"])
        assert ("program_html" in kinds) == bool(task["eval"]["program_html"])
        assert all(page["locator"].startswith(("document.", "[...document.")) for page in task["eval"]["program_html"])
        assert task["require_login"] == (task["storage_state"] in content.USERS)
        assert [*task["oracle"][-1]] == ["answer"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_equal_seeds_give_equal_tasks_and_others_give_others(template: str) -> None:
    assert tasks(template) == tasks(template)
    assert len({task["intent"] for task in tasks(template)}) > 1


@pytest.mark.parametrize("template", TEMPLATES)
def test_train_and_test_have_no_task_in_common(template: str) -> None:
    rngs = [np.random.default_rng(seed) for seed in range(60)]
    train = {generate(rng, template, "train")["intent"] for rng in rngs}
    test = {generate(rng, template, "test")["intent"] for rng in rngs}
    assert len(test) > 1
    assert not train & test


def test_a_template_that_is_not_there_is_bad_input() -> None:
    with pytest.raises(BadInput, match="site shop has no task template 'chess': there are price, stock"):
        generate(np.random.default_rng(0), "chess")


def test_prices_and_stocks_are_the_products() -> None:
    for values, wanted in answers("price"):
        cents = int(wanted["exact_match"].replace("$", "").replace(".", "").replace(",", ""))
        assert PRODUCTS[values["product"]].price == cents
    for values, wanted in answers("stock"):
        assert PRODUCTS[values["product"]].stock == int(wanted["exact_match"])


def test_extremes_and_counts_are_those_of_the_category() -> None:
    for values, wanted in answers("cheapest"):
        prices = [product.price for product in content.in_category(values["category"])]
        best = max(prices) if values["which"] == "most expensive" else min(prices)
        assert prices.count(best) == 1
        assert PRODUCTS[wanted["exact_match"]].price == best
        assert PRODUCTS[wanted["exact_match"]] in content.in_category(values["category"])
    for values, wanted in answers("count"):
        low, high = (int(found) for found in [*re.findall(r"\d+", values["range"]), "100000"][:2])
        if values["range"].startswith("under"):
            low, high = 0, low
        prices = [Decimal(product.price) / 100 for product in content.in_category(values["category"])]
        assert int(wanted["exact_match"]) == sum(low <= price < high for price in prices)


def test_ratings_and_orders_are_those_on_record() -> None:
    for values, wanted in answers("stars"):
        product = PRODUCTS[values["product"]]
        stars = [review.stars for review in content.reviews_of(product) if review.author == values["author"]]
        assert stars == [int(wanted["exact_match"])]
    orders = {order.number: order for order in content.orders()}
    for values, wanted in answers("order-status"):
        assert orders[values["number"]].status == wanted["exact_match"]
    for task in [*tasks("order-total"), *tasks("order-total", "test")]:
        mine = next(person for person in content.CUSTOMERS if person.email == task["storage_state"])
        then = [order for order in content.orders_of(mine) if f"{order.date:%B} {order.date.day}, {order.date.year}"
                == task["instantiation_dict"]["date"]]  # fmt: skip
        assert [content.dollars(order.total) for order in then] == [task["eval"]["reference_answers"]["exact_match"]]


def test_what_is_sold_has_its_price_and_what_is_not_has_none() -> None:
    for values, wanted in answers("not-sold"):
        product = PRODUCTS.get(values["product"])
        assert wanted == ({"exact_match": content.dollars(product.price)} if product else {"fuzzy_match": "N/A"})


def test_the_content_is_whole() -> None:
    rows = content.products()
    assert [product.id for product in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 60
    assert len({product.title for product in rows}) == len({product.upc for product in rows}) == len(rows)
    assert {product.category for product in rows} == set(content.categories())
    assert len(content.categories()) >= 8
    for person in content.CUSTOMERS:
        assert {order.status for order in content.orders_of(person)} > {"Delivered", "Cancelled", "Shipped"}
    assert {order.status for order in content.orders()} == set(content.STATUSES)
