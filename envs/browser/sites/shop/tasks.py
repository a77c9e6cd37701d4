"""Tasks in the shop, in WebArena's format, drawn from the rows in ``content.py``; each with an oracle.

A task has the keys of a WebArena task file and three more: ``split``, ``template`` and ``oracle``. ``storage_state``
is the name of the user who is logged in, or None. The oracle is a list of steps in a browser:

    {"goto": "__SHOP__/..."}   {"click": CSS}   {"fill": CSS, "text": ..., "enter": bool}
    {"select": CSS, "option": label}   {"answer": text}

An element is the first visible one that the selector finds; a step waits for the page that the last one led to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turngym.envs.browser.sites.shop import content
from turngym.envs.browser.sites.shop.content import Customer, Product
from turngym.envs.types import BadInput, Split

SITE = "__SHOP__"
Step = dict[str, Any]
Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Draft:
    """What one template makes of one row."""

    intent: str
    """With ``{{name}}`` where a value goes."""
    values: Mapping[str, str]
    oracle: Sequence[Step]
    answer: Mapping[str, Any] | None = None
    """For string_match."""
    address: str = ""
    """For url_match: the path to end on."""
    pages: Sequence[Mapping[str, Any]] = ()
    """For program_html."""
    user: str | None = None
    start: str = "/catalogue/"
    note: str = ""


@dataclass(frozen=True)
class Template:
    """A kind of task: the rows that it can be made from, and how."""

    rows: Callable[[], Rows]
    draft: Callable[..., Draft]


# Steps ------------------------------------------------------------------------------------------------------------


def _found(product: Product) -> list[Step]:
    """Search for a product and open its page."""
    return [
        {"fill": "nav form input#id_q", "text": product.title, "enter": True},
        {"click": f'.product_pod h3 a[href="{product.path}"]'},
    ]


def _category(name: str) -> list[Step]:
    return [{"click": f'.side_categories a[href="{content.category_path(name)}"]'}]


def _sorted(label: str) -> list[Step]:
    return [{"select": "select#id_sort_by", "option": label}]


def _account(link: str) -> list[Step]:
    return [
        {"click": '.navbar a[href="/accounts/"]'},
        {"click": f'.nav a[href="{link}"], .list-group a[href="{link}"]'},
    ]


def _basket(lines: Sequence[tuple[Product, int]]) -> list[Step]:
    """Put products in the basket, then set the quantities there."""
    steps: list[Step] = []
    for product, _ in lines:
        steps += [*_found(product), {"click": "#add_to_basket_form button[type=submit]"}]
    steps.append({"click": ".basket-mini .btn-group > button:first-child"})
    for product, quantity in lines:
        if quantity > 1:
            line = f'.basket-items:has(h3 a[href="{product.path}"])'
            steps += [
                {"fill": f"{line} input[type=number]", "text": str(quantity)},
                {"click": f"{line} .checkout-quantity button"},
            ]
    return steps


# Evaluators -------------------------------------------------------------------------------------------------------


def _exact(text: str) -> dict[str, Any]:
    return {"exact_match": text}


def _includes(*texts: str) -> dict[str, Any]:
    return {"must_include": list(texts)}


def _page(path: str, locator: str, contents: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": path if path == "last" else SITE + path, "locator": locator, "required_contents": dict(contents)}


def _lines(lines: Sequence[tuple[Product, int]]) -> str:
    return "; ".join(sorted(f"{product.title} x{quantity}" for product, quantity in lines))


_BASKET = (
    "[...document.querySelectorAll('.basket-items')].map(row => row.querySelector('h3').innerText.trim() + ' x' + "
    "row.querySelector('input[type=number]').value).sort().join('; ')"
)
_ORDERED = (
    "[...document.querySelectorAll('.basket-items')].map(row => row.querySelector('h3').innerText.trim() + ' x' + "
    "row.querySelector('.text-center').innerText.trim()).sort().join('; ')"
)
_ORDERS = "[...document.querySelectorAll('.table td:first-child a')].length.toString()"
_WISHES = "[...document.querySelectorAll('td:nth-child(2) a')].map(a => a.innerText.trim()).sort().join('; ')"
_ADDRESSES = "[...document.querySelectorAll('address')].map(a => a.innerText.replace(/\\s+/g, ' ').trim()).join(' | ')"


# Rows -------------------------------------------------------------------------------------------------------------


def _products() -> Rows:
    return [(product,) for product in content.products()]


def _in_stock() -> Rows:
    return [(product,) for product in content.products() if product.stock > 10]


def _products_and_people() -> Rows:
    return [(product, person) for product in content.products() for person in content.CUSTOMERS]


def _sold_to_people() -> Rows:
    return [(product, person) for (product,) in _in_stock() for person in content.CUSTOMERS]


def _sections() -> tuple[str, ...]:
    return (*content.categories(), *content.DEPARTMENTS)


def _extremes() -> Rows:
    return [(section, most) for section in _sections() for most in (False, True)]


def _counts() -> Rows:
    return [(section, label) for section in _sections() for label in _PRICES]


def _some_reviews() -> Rows:
    return [(content.product(review.product), review.author, review.stars) for review in content.reviews()]


def _some_orders() -> Rows:
    return [(order, content.CUSTOMERS[order.customer - 1]) for order in content.orders()]


def _people() -> Rows:
    return [(person, name) for person in content.CUSTOMERS for name in _FIRST]


def _new_addresses() -> Rows:
    return [(person, place) for person in content.CUSTOMERS for place in _PLACES]


def _open_orders() -> Rows:
    return [(order, to) for order in content.orders() for to in content.NEXT.get(order.status, ())]


_PRICES: dict[str, tuple[int, int]] = {
    "under $20": (0, 2000),
    "from $20 to under $50": (2000, 5000),
    "from $50 to under $100": (5000, 10000),
    "at least $100": (10000, 10**9),
}
_FACETS = dict(zip(_PRICES, ("Under $20", "$20 to $50", "$50 to $100", "$100 and over"), strict=True))
_FIRST = ("Astrid", "Benjamin", "Cecilia", "Dominik", "Eleanor", "Frederik", "Giulia", "Henrik", "Isabel", "Jasper")
_PLACES = (
    ("902 Harbor Street", "Camden", "Maine", "04843"),
    ("17 Quarry Road", "Barre", "Vermont", "05641"),
    ("455 Cannery Row", "Monterey", "California", "93940"),
    ("6 Mill Pond Way", "Woodstock", "New York", "12498"),
    ("1180 Summit Avenue", "Boulder", "Colorado", "80302"),
    ("29 Cypress Bend", "Beaufort", "South Carolina", "29902"),
    ("340 Foundry Lane", "Bethlehem", "Pennsylvania", "18015"),
    ("73 Canyon Trail", "Sedona", "Arizona", "86336"),
    ("512 Ferry Landing", "Anacortes", "Washington", "98221"),
    ("88 Copper Hill", "Houghton", "Michigan", "49931"),
    ("21 Prairie View", "Lawrence", "Kansas", "66044"),
    ("640 Bayou Drive", "Lafayette", "Louisiana", "70501"),
)
_OPINIONS = {
    5: ("Better than the old one", "I use it every day and would buy it again without thinking."),
    4: ("Good, with one wish", "It does its job well. A longer manual would have helped."),
    3: ("Somewhere in the middle", "It works, but I had hoped for a little more."),
    2: ("Not quite right", "The finish is rough and it took ages to arrive."),
    1: ("Please improve this", "It came apart in the first week."),
}
_UNSOLD = (
    "Espresso Machine", "Grand Piano", "Electric Bicycle", "Garden Trampoline", "Telescope Tripod", "Sewing Machine",
    "Robot Vacuum", "Snowboard Boots", "Baby Stroller", "Lawn Mower", "Cat Scratching Post", "Wedding Dress",
)  # fmt: skip


# Templates --------------------------------------------------------------------------------------------------------


def _price(rng: np.random.Generator, product: Product) -> Draft:
    amount = content.dollars(product.price).removeprefix("$")
    return Draft(
        "What does the {{product}} cost? Answer with the amount as the shop shows it.",
        {"product": product.title},
        [*_found(product), {"answer": f"${amount}"}],
        answer=_includes(amount),
    )


def _stock(rng: np.random.Generator, product: Product) -> Draft:
    return Draft(
        "How many units of the {{product}} are available? Answer with the number alone.",
        {"product": product.title},
        [*_found(product), {"answer": str(product.stock)}],
        answer=_exact(str(product.stock)),
    )


def _origin(rng: np.random.Generator, product: Product) -> Draft:
    facts = dict(product.facts)
    name, question = [
        ("Made in", "In which country is the {{product}} made? Answer with the country alone."),
        (
            "Warranty",
            "How long is the warranty of the {{product}}? Answer with the duration alone, as the page gives it.",
        ),
        ("Material", "What material is the {{product}} made of? Answer as the page puts it."),
    ][int(rng.integers(3))]
    return Draft(
        question, {"product": product.title}, [*_found(product), {"answer": facts[name]}], answer=_exact(facts[name])
    )


def _stars(rng: np.random.Generator, product: Product, author: str, stars: int) -> Draft:
    more = len(content.reviews_of(product)) > 3
    steps = [{"click": f'#reviews a[href="{product.path}reviews/"]'}] if more else []
    return Draft(
        "How many stars did {{author}} give the {{product}}? Answer with the number alone.",
        {"author": author, "product": product.title},
        [*_found(product), *steps, {"answer": str(stars)}],
        answer=_exact(str(stars)),
    )


def _extreme(section: str, most: bool) -> tuple[Product, list[Step]]:
    rows = sorted(content.in_category(section), key=lambda product: product.price, reverse=most)
    return rows[0], [*_category(section), *_sorted(f"Price {'high to low' if most else 'low to high'}")]


def _cheapest(rng: np.random.Generator, section: str, most: bool) -> Draft:
    product, steps = _extreme(section, most)
    return Draft(
        "What is the name of the {{which}} product in the category {{category}}? Answer with its full name alone.",
        {"which": "most expensive" if most else "cheapest", "category": section},
        [*steps, {"answer": product.title}],
        answer=_exact(product.title),
    )


def _open(rng: np.random.Generator, section: str, most: bool) -> Draft:
    product, steps = _extreme(section, most)
    return Draft(
        "Open the page of the {{which}} product in the category {{category}}.",
        {"which": "most expensive" if most else "least expensive", "category": section},
        [*steps, {"click": f'.product_pod h3 a[href="{product.path}"]'}, {"answer": "done"}],
        address=product.path,
    )


def _count(rng: np.random.Generator, section: str, label: str) -> Draft:
    low, high = _PRICES[label]
    number = sum(low <= product.price < high for product in content.in_category(section))
    facet = {"click": f'.side_categories input.facet_checkbox[name="{_FACETS[label]}"]'}
    return Draft(
        "How many products in the category {{category}} cost {{range}}? Answer with the number alone.",
        {"category": section, "range": label},
        [*_category(section), *([facet] if number else []), {"answer": str(number)}],
        answer=_exact(str(number)),
    )


def _order_status(rng: np.random.Generator, order: content.Order, person: Customer) -> Draft:
    row = f'a[href="/accounts/orders/{order.number}/"]'
    return Draft(
        "What is the status of my order {{number}}? Answer with the status alone.",
        {"number": order.number},
        [*_account("/accounts/orders/"), {"click": row}, {"answer": order.status}],
        answer=_exact(order.status),
        user=person.email,
    )


def _order_total(rng: np.random.Generator, order: content.Order, person: Customer) -> Draft:
    amount = content.dollars(order.total).removeprefix("$")
    return Draft(
        "How much did I pay in total for the order that I placed on {{date}}? Answer with the amount as the shop shows it.",
        {"date": f"{order.date:%B} {order.date.day}, {order.date.year}"},
        [*_account("/accounts/orders/"), {"answer": f"${amount}"}],
        answer=_includes(amount),
        user=person.email,
    )


def _review(rng: np.random.Generator, product: Product, person: Customer) -> Draft:
    stars = int(rng.integers(1, 6))
    title, body = _OPINIONS[stars]
    mine = "[...document.querySelectorAll('article.review')].filter(r => r.innerText.includes('by you'))"
    level = ("One", "Two", "Three", "Four", "Five")[stars - 1]
    page = f"{product.path}reviews/"
    return Draft(
        'Write a review of the {{product}}: {{stars}}, with the title "{{title}}" and the text "{{body}}".',
        {"product": product.title, "stars": f"{stars} star{'s' if stars > 1 else ''}", "title": title, "body": body},
        [
            *_found(product),
            {"click": "#write_review"},
            {"fill": "#id_title", "text": title},
            {"click": f"#add_review_form .star-rating i:nth-of-type({stars})"},
            {"fill": "#id_body", "text": body},
            {"click": "#add_review_form button[type=submit]"},
            {"answer": "done"},
        ],
        pages=[
            _page(page, f"{mine}.map(r => r.innerText).join(' ')", _includes(title, body)),
            _page(page, f"{mine}.map(r => r.querySelector('h3').className).join(' ')", _exact(f"star-rating {level}")),
        ],
        user=person.email,
    )


def _address(rng: np.random.Generator, person: Customer, place: tuple[str, str, str, str]) -> Draft:
    line, city, state, postcode = place
    whole = f"{person.first_name} {person.last_name} {line} {city} {state} {postcode} United States"
    fields = {
        "first_name": person.first_name, "last_name": person.last_name, "line1": line, "line4": city,
        "state": state, "postcode": postcode,
    }  # fmt: skip
    return Draft(
        "Add an address in the United States to my address book, in my own name: {{line}}, {{city}}, {{state}}, "
        "postcode {{postcode}}.",
        {"line": line, "city": city, "state": state, "postcode": postcode},
        [
            *_account("/accounts/addresses/"),
            {"click": 'a[href="/accounts/addresses/add/"]'},
            *({"fill": f"#id_{name}", "text": text} for name, text in fields.items()),
            {"select": "#id_country", "option": "United States"},
            {"click": "form button.btn-lg[type=submit]"},
            {"answer": "done"},
        ],
        pages=[_page("/accounts/addresses/", _ADDRESSES, _includes(whole))],
        user=person.email,
    )


def _profile(rng: np.random.Generator, person: Customer, name: str) -> Draft:
    return Draft(
        "Change my first name to {{name}}, and leave everything else in my profile as it is.",
        {"name": name},
        [
            *_account("/accounts/profile/"),
            {"click": 'a[href="/accounts/profile/edit/"]'},
            {"fill": "#id_first_name", "text": name},
            {"click": "form button.btn-lg[type=submit]"},
            {"answer": "done"},
        ],
        pages=[
            _page("/accounts/profile/edit/", "document.querySelector('#id_first_name').value", _exact(name)),
            _page("/accounts/profile/edit/", "document.querySelector('#id_last_name').value", _exact(person.last_name)),
            _page("/accounts/profile/edit/", "document.querySelector('#id_email').value", _exact(person.email)),
        ],
        user=person.email,
    )


def _with_others(rng: np.random.Generator, product: Product) -> list[tuple[Product, int]]:
    """Choose quantities for a product and one or two others."""
    others = [other for (other,) in _in_stock() if other != product]
    chosen = [others[int(place)] for place in rng.choice(len(others), int(rng.integers(1, 3)), replace=False)]
    return [(one, int(rng.integers(1, 5))) for one in (product, *chosen)]


def _in_words(lines: Sequence[tuple[Product, int]]) -> str:
    parts = [f"{quantity} of the {product.title}" for product, quantity in lines]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def _fill_basket(rng: np.random.Generator, product: Product) -> Draft:
    lines = _with_others(rng, product)
    return Draft(
        "Put {{products}} in my basket, and nothing else.",
        {"products": _in_words(lines)},
        [*_basket(lines), {"answer": "done"}],
        pages=[_page("/basket/", _BASKET, _exact(_lines(lines)))],
    )


def _buy(rng: np.random.Generator, product: Product, person: Customer) -> Draft:
    quantity, express = int(rng.integers(1, 4)), bool(rng.integers(2))
    address = person.addresses[int(rng.integers(len(person.addresses)))]
    lines = [(product, quantity)]
    method = "Express delivery" if express else "Standard delivery"
    return Draft(
        "Order {{products}}, sent to {{address}} by {{delivery}}. Place the order.",
        {"products": _in_words(lines), "address": f"{address.line} in {address.city}", "delivery": method.lower()},
        [
            *_basket(lines),
            {"click": 'a[href="/checkout/"]'},
            {"click": f"#select_shipping_address_{content.address_id(address)} button.ship-address"},
            {"click": f'form:has(input[name="method_code"][value="{"express" if express else "standard"}"]) button'},
            {"click": "#view_preview"},
            {"click": "#place-order"},
            {"answer": "done"},
        ],
        pages=[
            _page("/checkout/thank-you/", _ORDERED, _exact(_lines(lines))),
            _page("/checkout/thank-you/", "document.querySelector('.shipping-payment').innerText",
                  _includes(address.line, address.city, method)),
            _page("/accounts/orders/", _ORDERS, _exact(str(len(content.orders_of(person)) + 1))),
        ],
        user=person.email,
    )  # fmt: skip


def _wish(rng: np.random.Generator, product: Product, person: Customer) -> Draft:
    titles = sorted({content.product(number).title for number in person.wishes} | {product.title})
    return Draft(
        "Add the {{product}} to my wish list.",
        {"product": product.title},
        [
            *_found(product),
            {"click": ".btn-wishlist, .wishlist-add button, button.dropdown-toggle:has(+ ul a[href*='wishlists'])"},
            {"click": f'a[href^="{person.wish_list}add/"]'},
            {"answer": "done"},
        ],
        pages=[_page(person.wish_list, _WISHES, _exact("; ".join(titles)))],
        user=person.email,
    )


def _dispatch(rng: np.random.Generator, order: content.Order, to: str) -> Draft:
    page = f"/dashboard/orders/{order.number}/"
    return Draft(
        'A call came in about order {{number}}. In the dashboard, change its status to "{{status}}".',
        {"number": order.number, "status": to},
        [
            {"click": '.navbar a[href="/dashboard/"]'},
            {"goto": f"{SITE}/dashboard/orders/"},
            {"click": f'a[href="{page}"]'},
            {"select": "#order_status_form select", "option": to},
            {"click": "#order_status_form button"},
            {"answer": "done"},
        ],
        pages=[_page(page, "document.querySelector('.table').innerText", _includes(order.number, to))],
        user=content.STAFF[0],
    )


def _not_sold(rng: np.random.Generator, name: str) -> Draft:
    return Draft(
        "What does the {{product}} cost? If the shop does not have it, answer N/A.",
        {"product": name},
        [{"fill": "nav form input#id_q", "text": name, "enter": True}, {"answer": "N/A"}],
        answer={"fuzzy_match": "N/A"},
        note=f"The shop does not sell a product called {name}.",
    )


TEMPLATES: Mapping[str, Template] = {
    "price": Template(_products, _price),
    "stock": Template(lambda: [row for row in _products() if row[0].stock], _stock),
    "fact": Template(_products, _origin),
    "stars": Template(_some_reviews, _stars),
    "cheapest": Template(_extremes, _cheapest),
    "open": Template(_extremes, _open),
    "count": Template(_counts, _count),
    "order-status": Template(_some_orders, _order_status),
    "order-total": Template(_some_orders, _order_total),
    "review": Template(_products_and_people, _review),
    "address": Template(_new_addresses, _address),
    "profile": Template(_people, _profile),
    "basket": Template(_in_stock, _fill_basket),
    "buy": Template(_sold_to_people, _buy),
    "wish": Template(
        lambda: [(product, person) for product, person in _products_and_people() if product.id not in person.wishes],
        _wish,
    ),
    "order-update": Template(_open_orders, _dispatch),
    "not-sold": Template(lambda: [(name,) for name in _UNSOLD], _not_sold),
}
"""Every kind of task by its name."""

TEST_SHARE = 4
"""One row in so many is for testing."""


def generate(rng: np.random.Generator, template: str, split: Split = "train") -> dict[str, Any]:
    """Return a task in WebArena's format, drawn with ``rng`` from the rows of a split. The splits share no row.

    Errors: :class:`BadInput` for a template that there is not.
    """
    if template not in TEMPLATES:
        raise BadInput(f"site shop has no task template {template!r}: there are {', '.join(TEMPLATES)}")
    kind, number = TEMPLATES[template], list(TEMPLATES).index(template)
    rows = [row for place, row in enumerate(kind.rows()) if (place % TEST_SHARE == TEST_SHARE - 1) == (split == "test")]
    draft = kind.draft(rng, *rows[int(rng.integers(len(rows)))])
    return {
        "sites": ["shop"],
        "task_id": number,
        "template": template,
        "split": split,
        "require_login": draft.user is not None,
        "storage_state": draft.user,
        "start_url": SITE + draft.start,
        "geolocation": None,
        "intent_template": draft.intent,
        "instantiation_dict": dict(draft.values),
        "intent": re.sub(r"\{\{(\w+)\}\}", lambda match: draft.values[match[1]], draft.intent),
        "intent_template_id": number,
        "require_reset": False,
        "eval": _evaluation(draft),
        "oracle": list(draft.oracle),
    }


def _evaluation(draft: Draft) -> dict[str, Any]:
    kinds = {"string_match": draft.answer, "url_match": draft.address, "program_html": draft.pages}
    return {
        "eval_types": [name for name, wanted in kinds.items() if wanted],
        "reference_answers": draft.answer,
        "reference_url": SITE + draft.address if draft.address else "",
        "url_note": "GOLD in PRED",
        "program_html": list(draft.pages),
        "string_note": draft.note,
        "reference_answer_raw_annotation": "",
    }
