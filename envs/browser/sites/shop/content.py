"""What the shop sells, who buys there and what they bought: rows, from which its database is seeded. Pure data.

Standard library only; the same rows everywhere. The shop's server seeds itself from it, task generators ask about it.
Prices and totals are in US cents.
"""

from __future__ import annotations

import datetime
import functools
import random
import re
from dataclasses import dataclass

SHOP = "Harbour & Pine"
EXPRESS = 750
"""What express delivery costs; standard delivery is free."""
STATUSES = ("Pending", "Being processed", "Shipped", "Delivered", "Cancelled")
NEXT = {
    "Pending": ("Being processed", "Cancelled"),
    "Being processed": ("Shipped", "Cancelled"),
    "Shipped": ("Delivered",),
}
"""What an order's status can become."""


@dataclass(frozen=True)
class Product:
    """Something for sale."""

    id: int
    """Primary key, from 1."""
    upc: str
    title: str
    category: str
    kind: str
    """What it is, and what its picture shows."""
    colour: str
    price: int
    stock: int
    """Units; 0 is out of stock."""
    facts: tuple[tuple[str, str], ...]
    """What the page lists: name and value."""
    about: str

    @property
    def slug(self) -> str:
        """Its name in addresses."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    @property
    def path(self) -> str:
        """Path of its page."""
        return f"/catalogue/{self.slug}_{self.id}/"


@dataclass(frozen=True)
class Review:
    """What somebody thinks of a product."""

    product: int
    author: str
    stars: int
    """1 to 5."""
    title: str
    body: str
    date: datetime.date


@dataclass(frozen=True)
class Address:
    """Where somebody lives."""

    first_name: str
    last_name: str
    line: str
    city: str
    state: str
    postcode: str
    phone: str


@dataclass(frozen=True)
class Customer:
    """Somebody with an account."""

    id: int
    """Primary key, from 1."""
    email: str
    """Also what they log in with."""
    password: str
    first_name: str
    last_name: str
    addresses: tuple[Address, ...]
    """The first is the default one."""
    wishes: tuple[int, ...]
    """Products on the wish list."""

    @property
    def wish_list(self) -> str:
        """Path of the wish list."""
        return f"/accounts/wishlists/wish{self.id:02d}/"


@dataclass(frozen=True)
class Order:
    """What somebody bought."""

    number: str
    customer: int
    date: datetime.date
    status: str
    lines: tuple[tuple[int, int], ...]
    """Product and quantity."""
    express: bool

    @property
    def total(self) -> int:
        """With delivery, in cents."""
        goods = sum(products()[product - 1].price * quantity for product, quantity in self.lines)
        return goods + (EXPRESS if self.express else 0)


STAFF = ("staff@example.com", "harbourmaster-1")
"""E-mail address and password of who runs the shop."""

DEPARTMENTS = {
    "House": ("Kitchen", "Lighting", "Furniture", "Garden"),
    "Electronics": ("Audio", "Computing"),
    "Paper & Play": ("Stationery", "Toys"),
    "Travel": ("Bags", "Camping"),
}
"""Categories by the one above them."""

# Category, then: title | kind | colour | price | stock | material
_STOCK = """
Kitchen
Stoneware Mug | mug | blue | 12.50 | 64 | stoneware
Enamel Camp Mug | mug | cream | 9.80 | 120 | enamelled steel
Gooseneck Kettle | kettle | slate | 59.00 | 14 | stainless steel
Whistling Kettle | kettle | red | 38.40 | 23 | enamelled steel
Cast Iron Skillet | pan | black | 44.90 | 19 | cast iron
Copper Saute Pan | pan | copper | 86.00 | 7 | copper
Oak Cutting Board | board | oak | 29.95 | 41 | oak
Bamboo Serving Board | board | straw | 18.75 | 0 | bamboo
Lighting
Brass Desk Lamp | lamp | brass | 74.00 | 11 | brass
Folding Reading Lamp | lamp | green | 32.60 | 36 | aluminium
Arc Floor Lamp | floorlamp | black | 139.00 | 5 | steel
Linen Floor Lamp | floorlamp | cream | 118.50 | 8 | linen and ash
Beeswax Pillar Candle | candle | straw | 14.20 | 90 | beeswax
Lavender Soy Candle | candle | violet | 16.90 | 55 | soy wax
Filament Globe Bulb | bulb | amber | 8.40 | 200 | glass
Daylight LED Bulb | bulb | white | 6.95 | 310 | glass and polymer
Furniture
Spindle Dining Chair | chair | oak | 165.00 | 12 | oak
Velvet Reading Chair | chair | teal | 249.00 | 4 | velvet and beech
Milking Stool | stool | walnut | 58.00 | 17 | walnut
Painted Bar Stool | stool | red | 72.30 | 21 | beech
Ladder Bookshelf | shelf | oak | 129.90 | 9 | oak
Floating Cube Shelf | shelf | white | 46.50 | 33 | lacquered pine
Trestle Writing Table | table | walnut | 310.00 | 3 | walnut
Round Side Table | table | green | 94.00 | 0 | steel
Garden
Copper Watering Can | can | copper | 42.00 | 16 | copper
Long Reach Watering Can | can | green | 27.30 | 28 | galvanised steel
Terracotta Plant Pot | pot | terracotta | 11.60 | 75 | terracotta
Glazed Herb Pot | pot | teal | 15.40 | 48 | ceramic
Ash Handle Trowel | trowel | slate | 13.90 | 62 | steel and ash
Bulb Planting Trowel | trowel | red | 17.25 | 37 | steel and beech
Cedar Bird House | birdhouse | cedar | 34.80 | 20 | cedar
Cottage Bird House | birdhouse | blue | 39.60 | 13 | pine
Audio
Studio Monitor Headphones | headphones | black | 129.00 | 18 | aluminium and leather
Travel Headphones | headphones | cream | 89.50 | 26 | polymer
Bookshelf Speaker | speaker | walnut | 154.00 | 10 | walnut
Pocket Bluetooth Speaker | speaker | red | 45.90 | 52 | silicone
Podcast Microphone | microphone | slate | 98.00 | 15 | steel
Lapel Microphone | microphone | black | 24.99 | 44 | polymer
Kitchen Radio | radio | teal | 69.00 | 22 | polymer
Walnut Table Radio | radio | walnut | 112.00 | 0 | walnut
Computing
Mechanical Keyboard | keyboard | slate | 119.00 | 24 | aluminium
Compact Wireless Keyboard | keyboard | white | 54.60 | 39 | polymer
Ergonomic Vertical Mouse | mouse | black | 38.20 | 31 | polymer
Silent Travel Mouse | mouse | pink | 21.75 | 58 | polymer
Curved Desk Monitor | monitor | black | 289.00 | 6 | aluminium
Portable Screen | monitor | slate | 174.00 | 12 | aluminium
Metal USB Stick | usb | silver | 17.80 | 140 | zinc
Rugged USB Stick | usb | orange | 23.40 | 85 | rubber
Stationery
Linen Dotted Notebook | notebook | blue | 13.40 | 96 | linen
Leather Travel Notebook | notebook | tan | 28.00 | 34 | leather
Cedar Drawing Pencils | pencil | cedar | 10.90 | 70 | cedar
Watercolour Pencils | pencil | violet | 22.50 | 46 | lime wood
Tailor Scissors | scissors | black | 31.20 | 18 | steel
Paper Craft Scissors | scissors | orange | 9.60 | 82 | steel and polymer
Brass Pocket Ruler | ruler | brass | 12.20 | 57 | brass
Folding Yard Ruler | ruler | straw | 15.70 | 29 | beech
Toys
Wooden Robot | robot | oak | 26.80 | 25 | beech
Wind Up Tin Robot | robot | silver | 33.50 | 14 | tin
Diamond Kite | kite | red | 19.90 | 38 | nylon
Rainbow Delta Kite | kite | violet | 24.60 | 0 | nylon
Striped Beach Ball | ball | blue | 7.50 | 160 | vinyl
Felt Juggling Ball | ball | orange | 11.30 | 66 | wool felt
Alphabet Blocks | blocks | green | 29.40 | 32 | lime wood
Magnetic Blocks | blocks | pink | 41.00 | 17 | polymer
Bags
Canvas Day Backpack | backpack | green | 78.00 | 20 | canvas
Roll Top Backpack | backpack | orange | 96.50 | 11 | recycled nylon
Market Tote Bag | tote | cream | 16.40 | 105 | cotton
Waxed Work Tote | tote | slate | 64.00 | 13 | waxed canvas
Cabin Suitcase | suitcase | teal | 159.00 | 8 | polycarbonate
Family Suitcase | suitcase | violet | 214.00 | 5 | polycarbonate
Slim Card Wallet | wallet | tan | 35.00 | 49 | leather
Zip Coin Wallet | wallet | red | 27.90 | 40 | leather
Camping
Two Person Tent | tent | green | 198.00 | 9 | ripstop nylon
Family Dome Tent | tent | orange | 345.00 | 4 | polyester
Aluminium Flashlight | torch | black | 22.30 | 73 | aluminium
Dynamo Flashlight | torch | blue | 30.70 | 27 | polymer
Insulated Steel Bottle | bottle | teal | 32.00 | 88 | stainless steel
Glass Water Bottle | bottle | pink | 20.60 | 43 | glass
Baseplate Compass | compass | white | 18.20 | 51 | acrylic
Brass Lensatic Compass | compass | brass | 36.90 | 16 | brass
"""

_WORDS = {
    "mug": "A mug with a wide handle that stays cool, glazed inside and out.",
    "kettle": "A kettle that pours where you aim and fits every hob.",
    "pan": "A pan that heats evenly and only gets better with use.",
    "board": "A board with a juice groove, oiled by hand.",
    "lamp": "A lamp with a jointed arm that stays where it is put.",
    "floorlamp": "A tall lamp that makes a pool of warm light.",
    "candle": "A candle with a cotton wick that burns slowly and cleanly.",
    "bulb": "A bulb for standard sockets that reaches full brightness at once.",
    "chair": "A chair for long evenings, with joints that do not creak.",
    "stool": "A stool that is light to carry and hard to tip over.",
    "shelf": "A shelf that hangs or stands straight, with fixings in the box.",
    "table": "A table with rounded edges, assembled in ten minutes.",
    "can": "A watering can that balances well, with a rose that comes off.",
    "pot": "A pot with a drainage hole and a matching saucer.",
    "trowel": "A trowel with a blade that keeps its edge.",
    "birdhouse": "A bird house with a roof that lifts for cleaning.",
    "headphones": "Headphones with soft cushions and a cable that comes off.",
    "speaker": "A speaker with a full sound for its size.",
    "microphone": "A microphone that hears the voice and leaves out the room.",
    "radio": "A radio with a real dial and two presets.",
    "keyboard": "A keyboard with even travel and legends that do not wear off.",
    "mouse": "A mouse that is kind to the wrist and quiet to click.",
    "monitor": "A screen with true colours and a stand that tilts.",
    "usb": "A USB stick that holds a year of photographs on a key ring.",
    "notebook": "A notebook that lies flat, with numbered pages and a ribbon.",
    "pencil": "A set of pencils with even, break-proof leads.",
    "scissors": "Scissors that cut to the very tip.",
    "ruler": "A ruler with engraved marks on both edges.",
    "robot": "A robot with arms that turn and a friendly face.",
    "kite": "A kite that rises in a light breeze, with line and winder.",
    "ball": "A ball for beach and garden.",
    "blocks": "Building blocks with rounded corners, made for small hands.",
    "backpack": "A backpack with a padded sleeve and wide straps.",
    "tote": "A tote with long handles and an inner pocket.",
    "suitcase": "A suitcase with four quiet wheels and a lock.",
    "wallet": "A wallet that stays thin when it is full.",
    "tent": "A tent that one person can pitch in the dark.",
    "torch": "A torch with a beam that goes from wide to far.",
    "bottle": "A bottle with a lid that does not drip.",
    "compass": "A compass with a needle that settles fast.",
}

_COUNTRIES = ("Portugal", "Sweden", "Japan", "Italy", "Slovenia", "Canada", "India", "Denmark")
_REVIEWERS = (
    "Ada Quinn", "Bruno Costa", "Carla Meyer", "Derek Olsen", "Elif Demir", "Farah Aziz", "Gwen Parry", "Hugo Lindt",
    "Ines Moreau", "Jonas Berg", "Keiko Mori", "Lars Holm", "Mina Patel", "Nils Falk", "Oona Virtanen", "Pavel Dvorak",
    "Rosa Vega", "Sven Aalto", "Tara Singh", "Umberto Riva", "Vera Kowal", "Wanda Price", "Yusuf Kaya", "Zoe Martin",
)  # fmt: skip
_VERDICTS = {
    5: (("Could not be happier", "Exactly as described, and better made than I expected."),
        ("A keeper", "I bought a second one for my sister."),
        ("Perfect present", "Wrapped with care and loved at once.")),
    4: (("Very good", "Does what it should. The box was a little large for it."),
        ("Nearly perfect", "One small scratch on arrival, otherwise lovely."),
        ("Solid choice", "Feels sturdy and looks good after two months.")),
    3: (("It is fine", "Nothing wrong with it, nothing special either."),
        ("Decent", "The colour is darker than in the picture."),
        ("Average", "Good enough for the price.")),
    2: (("Expected more", "It wobbles a bit and support took a week to answer."),
        ("Not for me", "Smaller than I thought. Check the size first.")),
    1: (("Sent it back", "Arrived broken, and so did the replacement."),
        ("Disappointed", "It stopped working after three days.")),
}  # fmt: skip


@functools.cache
def products() -> tuple[Product, ...]:
    """Return all products, in the order of their ids."""
    rng = random.Random(2024)
    found: list[Product] = []
    category = ""
    for line in _STOCK.strip().splitlines():
        if "|" not in line:
            category = line
            continue
        title, kind, colour, price, stock, material = (part.strip() for part in line.split("|"))
        number = len(found) + 1
        warranty = rng.choice((1, 2, 3, 5, 10))
        facts = (
            ("Material", material.capitalize()),
            ("Colour", colour.capitalize()),
            ("Made in", rng.choice(_COUNTRIES)),
            ("Warranty", f"{warranty} year{'s' if warranty > 1 else ''}"),
        )
        about = f"{_WORDS[kind]} Made of {material} in {facts[2][1]}, with a warranty of {facts[3][1]}."
        cents = int(price.replace(".", ""))
        upc = f"HP-{category[:3].upper()}-{number:03d}"
        found.append(Product(number, upc, title, category, kind, colour, cents, int(stock), facts, about))
    return tuple(found)


@functools.cache
def reviews() -> tuple[Review, ...]:
    """Return all reviews; a product has 0 to 6, each author's one."""
    rng = random.Random(7)
    found = []
    for product in products():
        for author in rng.sample(_REVIEWERS, rng.choice((0, 1, 2, 3, 4, 5, 6))):
            stars = rng.choice((1, 2, 3, 3, 4, 4, 4, 5, 5, 5))
            title, body = rng.choice(_VERDICTS[stars])
            date = datetime.date(2024, 1, 10) - datetime.timedelta(days=rng.randrange(3, 300))
            found.append(Review(product.id, author, stars, title, body, date))
    return tuple(found)


def reviews_of(product: Product) -> tuple[Review, ...]:
    """Return the reviews of one product."""
    return tuple(review for review in reviews() if review.product == product.id)


def in_category(category: str) -> tuple[Product, ...]:
    """Return the products of a category, such as Kitchen, or of a department, such as House."""
    within = DEPARTMENTS.get(category, (category,))
    return tuple(product for product in products() if product.category in within)


def categories() -> tuple[str, ...]:
    """Return the names of the categories that hold products."""
    return tuple(name for names in DEPARTMENTS.values() for name in names)


def category_path(name: str) -> str:
    """Return the path of a category's or a department's page."""
    number = 0
    for department, names in DEPARTMENTS.items():
        number += 1
        above = f"/catalogue/category/{_slug(department)}"
        if department == name:
            return f"{above}_{number}/"
        for inner in names:
            number += 1
            if inner == name:
                return f"{above}/{_slug(inner)}_{number}/"
    raise KeyError(name)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


CUSTOMERS = (
    Customer(1, "emma.stone@example.com", "lighthouse-7", "Emma", "Stone", (
        Address("Emma", "Stone", "14 Lighthouse Lane", "Portland", "Maine", "04101", "+12075550114"),
        Address("Peter", "Stone", "220 Birch Street", "Burlington", "Vermont", "05401", "+18025550127"),
    ), (5, 21, 57)),
    Customer(2, "liam.novak@example.com", "driftwood-3", "Liam", "Novak", (
        Address("Liam", "Novak", "8 Driftwood Road", "Astoria", "Oregon", "97103", "+15035550133"),
    ), (34, 66)),
    Customer(3, "olivia.reyes@example.com", "saltmarsh-5", "Olivia", "Reyes", (
        Address("Olivia", "Reyes", "77 Marsh View", "Savannah", "Georgia", "31401", "+19125550145"),
        Address("Olivia", "Reyes", "1500 Market Square", "Atlanta", "Georgia", "30303", "+14045550151"),
        Address("Marta", "Reyes", "3 Orchard Court", "Macon", "Georgia", "31201", "+14785550166"),
    ), (12, 40, 68, 77)),
    Customer(4, "noah.fischer@example.com", "pinecone-9", "Noah", "Fischer", (
        Address("Noah", "Fischer", "31 Pine Ridge", "Duluth", "Minnesota", "55802", "+12185550172"),
    ), (73,)),
)  # fmt: skip
"""Everybody with an account but the staff."""

USERS = {**{customer.email: customer.password for customer in CUSTOMERS}, STAFF[0]: STAFF[1]}
"""Password by the name to log in with."""


def address_id(address: Address) -> int:
    """Return an address's primary key, from 1."""
    return 1 + [one for customer in CUSTOMERS for one in customer.addresses].index(address)


@functools.cache
def orders() -> tuple[Order, ...]:
    """Return all orders, oldest first, no two of one day; every customer has some of each status."""
    rng = random.Random(11)
    history = ("Delivered", "Cancelled", "Delivered", "Shipped", "Being processed", "Pending")
    days = rng.sample(range(4, 400), len(CUSTOMERS) * len(history))
    drawn = []
    for customer in CUSTOMERS:
        mine = sorted((days.pop() for _ in history), reverse=True)
        for ago, status in zip(mine, history, strict=True):
            lines = [(number, rng.randint(1, 3)) for number in sorted(rng.sample(range(1, 81), rng.randint(1, 4)))]
            date = datetime.date(2024, 1, 15) - datetime.timedelta(days=ago)
            drawn.append((date, customer.id, status, tuple(lines), rng.random() < 0.3))
    drawn.sort()
    return tuple(
        Order(str(100001 + place), customer, date, status, lines, express)
        for place, (date, customer, status, lines, express) in enumerate(drawn)
    )


def orders_of(customer: Customer) -> tuple[Order, ...]:
    """Return the orders of one customer, oldest first."""
    return tuple(order for order in orders() if order.customer == customer.id)


def product(number: int) -> Product:
    """Return the product with this id."""
    return products()[number - 1]


def dollars(cents: int) -> str:
    """Return an amount as the shop shows it, such as ``$1,234.50``."""
    return f"${cents / 100:,.2f}"
