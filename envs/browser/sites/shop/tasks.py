"""The shop's tasks, each with an oracle, drawn from the rows in ``content.py`` as ``drafting`` says."""

from __future__ import annotations

import numpy as np

from turngym.envs.browser.sites.drafting import (
    UNACHIEVABLE,
    Draft,
    Generator,
    Step,
    Template,
    check,
    exact,
    includes,
)
from turngym.envs.browser.sites.shop import content
from turngym.envs.browser.sites.shop import task_parts as parts
from turngym.envs.browser.sites.shop.content import Customer, Product

# Templates --------------------------------------------------------------------------------------------------------


def _price(product: Product) -> Draft:
    amount = content.dollars(product.price)
    return Draft(
        "What does the {{product}} cost? Answer with the amount as the shop shows it.",
        {"product": product.title},
        [*parts.find(product), {"answer": amount}],
        answer=exact(amount),
    )


def _stock(product: Product) -> Draft:
    return Draft(
        "How many units of the {{product}} are available? Answer with the number alone.",
        {"product": product.title},
        [*parts.find(product), {"answer": str(product.stock)}],
        answer=exact(str(product.stock)),
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
        question,
        {"product": product.title},
        [*parts.find(product), {"answer": facts[name]}],
        answer=exact(facts[name]),
    )


def _stars(product: Product, author: str, stars: int) -> Draft:
    more = len(content.reviews_of(product)) > 3
    steps = [{"click": f'#reviews a[href="{product.path}reviews/"]'}] if more else []
    return Draft(
        "How many stars did {{author}} give the {{product}}? Answer with the number alone.",
        {"author": author, "product": product.title},
        [*parts.find(product), *steps, {"answer": str(stars)}],
        answer=exact(str(stars)),
    )


def _extreme(section: str, most: bool) -> tuple[Product, list[Step]]:
    rows = sorted(content.in_category(section), key=lambda product: product.price, reverse=most)
    return rows[0], [*parts.open_category(section), *parts.sort_by(f"Price {'high to low' if most else 'low to high'}")]


def _cheapest(section: str, most: bool) -> Draft:
    product, steps = _extreme(section, most)
    return Draft(
        "What is the name of the {{which}} product in the category {{category}}? Answer with its full name alone.",
        {"which": "most expensive" if most else "cheapest", "category": section},
        [*steps, {"answer": product.title}],
        answer=exact(product.title),
    )


def _open(section: str, most: bool) -> Draft:
    product, steps = _extreme(section, most)
    return Draft(
        "Open the page of the {{which}} product in the category {{category}}.",
        {"which": "most expensive" if most else "least expensive", "category": section},
        [*steps, {"click": f'.product_pod h3 a[href="{product.path}"]'}, {"answer": "done"}],
        address=product.path,
    )


def _count(section: str, label: str) -> Draft:
    low, high = parts.PRICES[label]
    number = sum(low <= product.price < high for product in content.in_category(section))
    facet = {"click": f'.side_categories input.facet_checkbox[name="{parts.FACETS[label]}"]'}
    return Draft(
        "How many products in the category {{category}} cost {{range}}? Answer with the number alone.",
        {"category": section, "range": label},
        [*parts.open_category(section), *([facet] if number else []), {"answer": str(number)}],
        answer=exact(str(number)),
    )


def _order_status(order: content.Order, person: Customer) -> Draft:
    row = f'a[href="/accounts/orders/{order.number}/"]'
    return Draft(
        "What is the status of my order {{number}}? Answer with the status alone.",
        {"number": order.number},
        [*parts.open_account("/accounts/orders/"), {"click": row}, {"answer": order.status}],
        answer=exact(order.status),
        user=person.email,
    )


def _order_total(order: content.Order, person: Customer) -> Draft:
    amount = content.dollars(order.total)
    return Draft(
        "What is the total of the order that I placed on {{date}}? Answer with the amount as the shop shows it.",
        {"date": f"{order.date:%B} {order.date.day}, {order.date.year}"},
        [*parts.open_account("/accounts/orders/"), {"answer": amount}],
        answer=exact(amount),
        user=person.email,
    )


def _review(rng: np.random.Generator, product: Product, person: Customer) -> Draft:
    stars = int(rng.integers(1, 6))
    title, body = parts.OPINIONS[stars]
    mine = "[...document.querySelectorAll('article.review')].filter(r => r.innerText.includes('by you'))"
    level = ("One", "Two", "Three", "Four", "Five")[stars - 1]
    page = f"{product.path}reviews/"
    return Draft(
        'Write a review of the {{product}}: {{stars}}, with the title "{{title}}" and the text "{{body}}".',
        {"product": product.title, "stars": f"{stars} star{'s' if stars > 1 else ''}", "title": title, "body": body},
        [
            *parts.find(product),
            {"click": "#write_review"},
            {"fill": "#id_title", "text": title},
            {"click": f"#add_review_form .star-rating i:nth-of-type({stars})"},
            {"fill": "#id_body", "text": body},
            {"click": "#add_review_form button[type=submit]"},
            {"answer": "done"},
        ],
        pages=[
            check(page, f"{mine}.map(r => r.querySelector('h3 a').innerText.trim()).join(' | ')", exact(title)),
            check(page, f"{mine}.map(r => r.querySelector('p').innerText.trim()).join(' | ')", exact(body)),
            check(page, f"{mine}.map(r => r.querySelector('h3').className).join(' ')", exact(f"star-rating {level}")),
        ],
        user=person.email,
    )


def _address(place: tuple[str, str, str, str], person: Customer) -> Draft:
    line, city, state, postcode = place
    new = content.Address(person.first_name, person.last_name, line, city, state, postcode, "")
    fields = {
        "first_name": person.first_name, "last_name": person.last_name, "line1": line, "line4": city,
        "state": state, "postcode": postcode,
    }  # fmt: skip
    return Draft(
        "Add an address in the United States to my address book, in my own name: {{line}}, {{city}}, {{state}}, "
        "postcode {{postcode}}.",
        {"line": line, "city": city, "state": state, "postcode": postcode},
        [
            *parts.open_account("/accounts/addresses/"),
            {"click": 'a[href="/accounts/addresses/add/"]'},
            *({"fill": f"#id_{name}", "text": text} for name, text in fields.items()),
            {"select": "#id_country", "option": "United States"},
            {"click": "form button.btn-lg[type=submit]"},
            {"answer": "done"},
        ],
        pages=[check("/accounts/addresses/", parts.ADDRESSES, exact(parts.in_book((*person.addresses, new))))],
        user=person.email,
    )


def _profile(name: str, person: Customer) -> Draft:
    return Draft(
        "Change my first name to {{name}}, and leave everything else in my profile as it is.",
        {"name": name},
        [
            *parts.open_account("/accounts/profile/"),
            {"click": 'a[href="/accounts/profile/edit/"]'},
            {"fill": "#id_first_name", "text": name},
            {"click": "form button.btn-lg[type=submit]"},
            {"answer": "done"},
        ],
        pages=[
            check("/accounts/profile/edit/", "document.querySelector('#id_first_name').value", exact(name)),
            check(
                "/accounts/profile/edit/",
                "document.querySelector('#id_last_name').value",
                exact(person.last_name),
            ),
            check("/accounts/profile/edit/", "document.querySelector('#id_email').value", exact(person.email)),
        ],
        user=person.email,
    )


def _with_others(rng: np.random.Generator, product: Product) -> list[tuple[Product, int]]:
    """Choose quantities for a product and one or two others."""
    others = [other for (other,) in parts.in_stock() if other != product]
    chosen = [others[int(place)] for place in rng.choice(len(others), int(rng.integers(1, 3)), replace=False)]
    return [(one, int(rng.integers(1, 5))) for one in (product, *chosen)]


def _in_words(lines: parts.Lines) -> str:
    said = [f"{quantity} of the {product.title}" for product, quantity in lines]
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def _fill_basket(rng: np.random.Generator, product: Product) -> Draft:
    lines = _with_others(rng, product)
    return Draft(
        "Put {{products}} in my basket, and nothing else.",
        {"products": _in_words(lines)},
        [*parts.fill_basket(lines), {"answer": "done"}],
        pages=[check("/basket/", parts.BASKET, exact(parts.in_lines(lines)))],
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
            *parts.fill_basket(lines),
            {"click": 'a[href="/checkout/"]'},
            {"click": f"#select_shipping_address_{content.address_id(address)} button.ship-address"},
            {"click": f'form:has(input[name="method_code"][value="{"express" if express else "standard"}"]) button'},
            {"click": "#view_preview"},
            {"click": "#place-order"},
            {"answer": "done"},
        ],
        pages=[
            check("/checkout/thank-you/", parts.ORDERED, exact(parts.in_lines(lines))),
            check("/checkout/thank-you/", "document.querySelector('.shipping-payment').innerText",
                  includes(address.line, address.city, method)),
            check("/accounts/orders/", parts.ORDERS, exact(str(len(content.orders_of(person)) + 1))),
        ],
        user=person.email,
    )  # fmt: skip


def _wish(product: Product, person: Customer) -> Draft:
    titles = sorted({content.product(number).title for number in person.wishes} | {product.title})
    return Draft(
        "Add the {{product}} to my wish list.",
        {"product": product.title},
        [
            *parts.find(product),
            {"click": ".btn-wishlist, .wishlist-add button, button.dropdown-toggle:has(+ ul a[href*='wishlists'])"},
            {"click": f'a[href^="{person.wish_list}add/"]'},
            {"answer": "done"},
        ],
        pages=[check(person.wish_list, parts.WISHES, exact("; ".join(titles)))],
        user=person.email,
    )


def _dispatch(order: content.Order, to: str) -> Draft:
    page = f"/dashboard/orders/{order.number}/"
    return Draft(
        'In the dashboard, change the status of order {{number}} to "{{status}}".',
        {"number": order.number, "status": to},
        [
            {"click": '.navbar a[href="/dashboard/"]'},
            {"click": 'a.btn[href="/dashboard/orders/"]'},
            {"click": f'a[href="{page}"]'},
            {"click": "#order_status_form .select2-selection"},
            {"click": f'.select2-results__option[id$="-{to}"]'},
            {"click": "#order_status_form button"},
            {"answer": "done"},
        ],
        pages=[check(page, parts.STATUS, exact(to))],
        user=content.STAFF[0],
    )


def _if_sold(name: str, product: Product | None) -> Draft:
    amount = content.dollars(product.price) if product else "N/A"
    search: Step = {"fill": "nav form input#id_q", "text": name, "enter": True}
    return Draft(
        "What does the {{product}} cost? Answer with the amount as the shop shows it, or with N/A if the shop does not "
        "have it.",
        {"product": name},
        [*(parts.find(product) if product else [search]), {"answer": amount}],
        answer=exact(amount) if product else UNACHIEVABLE,
        note="" if product else f"The shop does not sell a product called {name}.",
    )


GENERATOR = Generator(
    "shop",
    "__SHOP__",
    "/catalogue/",
    {
        "price": Template(parts.products, _price),
        "stock": Template(lambda: [row for row in parts.products() if row[0].stock], _stock),
        "fact": Template(parts.products, _origin, draws=True),
        "stars": Template(parts.some_reviews, _stars),
        "cheapest": Template(parts.extremes, _cheapest),
        "open": Template(parts.extremes, _open),
        "count": Template(parts.counts, _count),
        "order-status": Template(parts.some_orders, _order_status),
        "order-total": Template(parts.some_orders, _order_total),
        "review": Template(parts.products_and_people, _review, draws=True),
        "address": Template(parts.new_addresses, _address),
        "profile": Template(parts.people, _profile),
        "basket": Template(parts.in_stock, _fill_basket, draws=True),
        "buy": Template(parts.sold_to_people, _buy, draws=True),
        "wish": Template(
            lambda: [
                (product, person) for product, person in parts.products_and_people() if product.id not in person.wishes
            ],
            _wish,
        ),
        "order-update": Template(parts.open_orders, _dispatch),
        "not-sold": Template(parts.sold_or_not, _if_sold),
    },
)
