"""What the shop's tasks are made of: steps of oracles, checks of pages, and the rows that tasks are drawn from."""

from __future__ import annotations

from collections.abc import Sequence

from turngym.envs.browser.sites.drafting import ONE_LINE, Rows, Step, alternating
from turngym.envs.browser.sites.shop import content
from turngym.envs.browser.sites.shop.content import Address, Product

Lines = Sequence[tuple[Product, int]]
"""Products and how many of each."""


# Steps ------------------------------------------------------------------------------------------------------------


def find(product: Product) -> list[Step]:
    """Search for a product and open its page."""
    return [
        {"fill": "nav form input#id_q", "text": product.title, "enter": True},
        {"click": f'.product_pod h3 a[href="{product.path}"]'},
    ]


def open_category(name: str) -> list[Step]:
    """Open a category from the menu at the side."""
    return [{"click": f'.side_categories a[href="{content.category_path(name)}"]'}]


def sort_by(label: str) -> list[Step]:
    """Sort a list of products."""
    return [{"select": "select#id_sort_by", "option": label}]


def open_account(link: str) -> list[Step]:
    """Open a page of the account."""
    return [
        {"click": '.navbar a[href="/accounts/"]'},
        {"click": f'.nav a[href="{link}"], .list-group a[href="{link}"]'},
    ]


def fill_basket(lines: Lines) -> list[Step]:
    """Put products in the basket, then set the quantities there."""
    steps: list[Step] = []
    for product, _ in lines:
        steps += [*find(product), {"click": "#add_to_basket_form button[type=submit]"}]
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


def in_lines(lines: Lines) -> str:
    """Return products and quantities as :data:`BASKET` and :data:`ORDERED` do."""
    return "; ".join(sorted(f"{product.title} x{quantity}" for product, quantity in lines))


def in_book(addresses: Sequence[Address]) -> str:
    """Return addresses in the United States as :data:`ADDRESSES` does."""
    lines = [f"{it.first_name} {it.last_name} {it.line} {it.city} {it.state} {it.postcode}" for it in addresses]
    return " | ".join(sorted(f"{line} United States" for line in lines))


BASKET = (
    "[...document.querySelectorAll('.basket-items h3')].map(h => h.innerText.trim() + ' x' + "
    "h.closest('.row').querySelector('input[type=number]').value).sort().join('; ')"
)
ORDERED = (
    "[...document.querySelectorAll('.basket-items h3')].map(h => h.innerText.trim() + ' x' + "
    "h.closest('.row').querySelector('.text-center').innerText.trim()).sort().join('; ')"
)
STATUS = (
    "[...document.querySelectorAll('caption')].filter(c => c.innerText.includes('Order information'))"
    ".map(c => c.parentElement.rows[1].cells[3].innerText.trim()).join(' | ')"
)
ORDERS = "[...document.querySelectorAll('.table td:first-child a')].length.toString()"
WISHES = "[...document.querySelectorAll('td:nth-child(2) a')].map(a => a.innerText.trim()).sort().join('; ')"
ADDRESSES = f"[...document.querySelectorAll('address')].map(a => a.innerText{ONE_LINE}).sort().join(' | ')"


# Rows -------------------------------------------------------------------------------------------------------------


def products() -> Rows:
    """All products."""
    return [(product,) for product in content.products()]


def in_stock() -> Rows:
    """Products of which nobody in the shop orders more than there are."""
    return [(product,) for product in content.products() if product.stock > 10]


def products_and_people() -> Rows:
    """Every product with every customer."""
    return [(product, person) for product in content.products() for person in content.CUSTOMERS]


def sold_to_people() -> Rows:
    """Every product that can be ordered, with every customer."""
    return [(product, person) for (product,) in in_stock() for person in content.CUSTOMERS]


def sections() -> tuple[str, ...]:
    """Return the names of categories and departments."""
    return (*content.categories(), *content.DEPARTMENTS)


def extremes() -> Rows:
    """Every section, for its cheapest and its dearest product."""
    return [(section, most) for section in sections() for most in (False, True)]


def counts() -> Rows:
    """Every section with every range of prices."""
    return [(section, label) for section in sections() for label in PRICES]


def some_reviews() -> Rows:
    """Every review: product, author, stars."""
    return [(content.product(review.product), review.author, review.stars) for review in content.reviews()]


def some_orders() -> Rows:
    """Every order with its customer."""
    return [(order, content.CUSTOMERS[order.customer - 1]) for order in content.orders()]


def people() -> Rows:
    """Every customer with a new first name."""
    return [(name, person) for name in FIRST for person in content.CUSTOMERS]


def new_addresses() -> Rows:
    """Every customer with a place to move to."""
    return [(place, person) for place in PLACES for person in content.CUSTOMERS]


def open_orders() -> Rows:
    """Every order whose status can change, with what it can become."""
    return [(order, to) for order in content.orders() for to in content.NEXT.get(order.status, ())]


def sold_or_not() -> Rows:
    """Names of products that the shop sells, with the product, and of others, with None."""
    sold = [(product.title, product) for product in content.products()[::7]]
    return alternating(sold, [(name, None) for name in UNSOLD])


PRICES: dict[str, tuple[int, int]] = {
    "under $20": (0, 2000),
    "from $20 to under $50": (2000, 5000),
    "from $50 to under $100": (5000, 10000),
    "at least $100": (10000, 10**9),
}
FACETS = dict(zip(PRICES, ("Under $20", "$20 to $50", "$50 to $100", "$100 and over"), strict=True))
FIRST = ("Astrid", "Benjamin", "Cecilia", "Dominik", "Eleanor", "Frederik", "Giulia", "Henrik", "Isabel", "Jasper")
PLACES = (
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
OPINIONS = {
    5: ("Better than the old one", "I use it every day and would buy it again without thinking."),
    4: ("Good, with one wish", "It does its job well. A longer manual would have helped."),
    3: ("Somewhere in the middle", "It works, but I had hoped for a little more."),
    2: ("Not quite right", "The finish is rough and it took ages to arrive."),
    1: ("Please improve this", "It came apart in the first week."),
}
UNSOLD = (
    "Espresso Machine", "Grand Piano", "Electric Bicycle", "Garden Trampoline", "Telescope Tripod", "Sewing Machine",
    "Robot Vacuum", "Snowboard Boots", "Baby Stroller", "Lawn Mower", "Cat Scratching Post", "Wedding Dress",
)  # fmt: skip
