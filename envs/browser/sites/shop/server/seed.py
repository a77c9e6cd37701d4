"""Fill the database from ``content.py``."""

import datetime
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.db import transaction
from oscar.apps.address.models import Country, UserAddress
from oscar.apps.basket.models import Basket
from oscar.apps.catalogue.models import Category, Product, ProductAttribute, ProductClass, ProductImage
from oscar.apps.catalogue.reviews.models import ProductReview
from oscar.apps.order.models import Order, ShippingAddress
from oscar.apps.order.utils import OrderCreator
from oscar.apps.partner.models import Partner, StockRecord
from oscar.apps.partner.strategy import Default
from oscar.apps.shipping.repository import Repository
from oscar.apps.wishlists.models import WishList
from oscar.core.prices import Price

from .. import content


def fill() -> None:
    """Make the tables and all rows."""
    # Straight from the models: years of migrations would take a minute to come to the same tables.
    settings.MIGRATION_MODULES = {config.label: None for config in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)
    with transaction.atomic():
        Site.objects.update_or_create(pk=1, defaults={"domain": "127.0.0.1", "name": content.SHOP})
        Country.objects.create(
            iso_3166_1_a2="US", iso_3166_1_a3="USA", iso_3166_1_numeric="840", name="United States of America",
            printable_name="United States", is_shipping_country=True,
        )  # fmt: skip
        _catalogue()
        _reviews()
        _people()
        _orders()


def _noon(date: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(date, datetime.time(12), datetime.UTC)


def _catalogue() -> None:
    categories = {}
    for department, names in content.DEPARTMENTS.items():
        above = Category.add_root(name=department)
        for name in names:
            categories[name] = Category.objects.get(pk=above.pk).add_child(name=name)
    partner = Partner.objects.create(name=content.SHOP)
    kind = ProductClass.objects.create(name="Article", track_stock=True)
    for name, _ in content.products()[0].facts:
        ProductAttribute.objects.create(product_class=kind, name=name, code=name.lower().replace(" ", "_"), type="text")
    for row in content.products():
        product = Product(
            pk=row.id, product_class=kind, title=row.title, slug=row.slug, upc=row.upc, description=row.about
        )
        for name, value in row.facts:
            setattr(product.attr, name.lower().replace(" ", "_"), value)
        product.save()
        born = _noon(datetime.date(2023, 1, 2) + datetime.timedelta(days=(row.id * 37) % 331))
        Product.objects.filter(pk=row.id).update(date_created=born, date_updated=born)
        product.categories.add(categories[row.category])
        StockRecord.objects.create(
            product=product, partner=partner, partner_sku=row.upc, price_currency="USD",
            price=Decimal(row.price) / 100, num_in_stock=row.stock,
        )  # fmt: skip
        ProductImage.objects.create(product=product, original=f"large/{row.id}.png", caption=row.title)


def _reviews() -> None:
    for row in content.reviews():
        review = ProductReview.objects.create(
            product_id=row.product, name=row.author, email=f"{row.author.split()[0].lower()}@example.com",
            score=row.stars, title=row.title, body=row.body, status=ProductReview.APPROVED,
        )  # fmt: skip
        ProductReview.objects.filter(pk=review.pk).update(date_created=_noon(row.date))
    for product in Product.objects.all():
        product.update_rating()


def _people() -> None:
    for person in content.CUSTOMERS:
        user = User.objects.create_user(
            person.email, person.email, person.password, pk=person.id,
            first_name=person.first_name, last_name=person.last_name,
        )  # fmt: skip
        for place, address in enumerate(person.addresses):
            default = place == 0
            UserAddress.objects.create(
                user=user, **_postal(address), is_default_for_shipping=default, is_default_for_billing=default
            )
        wishes = WishList.objects.create(owner=user, name="Wish list")
        WishList.objects.filter(pk=wishes.pk).update(key=f"wish{person.id:02d}")
        for number in person.wishes:
            wishes.add(Product.objects.get(pk=number))
    email, password = content.STAFF
    User.objects.create_superuser(email, email, password, first_name="Harbour", last_name="Master")


def _postal(address: content.Address) -> dict[str, Any]:
    return {
        "first_name": address.first_name, "last_name": address.last_name, "line1": address.line,
        "line4": address.city, "state": address.state, "postcode": address.postcode,
        "phone_number": address.phone, "country_id": "US",
    }  # fmt: skip


def _orders() -> None:
    for row in content.orders():
        person = content.CUSTOMERS[row.customer - 1]
        user = User.objects.get(pk=person.id)
        basket = Basket.objects.create(owner=user)
        basket.strategy = Default()
        for number, quantity in row.lines:
            _put(basket, Product.objects.get(pk=number), quantity)
        method = Repository.methods[1 if row.express else 0]
        charge = method.calculate(basket)
        total = Price("USD", basket.total_excl_tax + charge.excl_tax, basket.total_incl_tax + charge.incl_tax)
        address = ShippingAddress.objects.create(**_postal(person.addresses[0]))
        order = OrderCreator().place_order(
            basket, total, method, charge, user=user, shipping_address=address, order_number=row.number,
            status="Pending",
        )  # fmt: skip
        basket.submit()
        Order.objects.filter(pk=order.pk).update(status=row.status, date_placed=_noon(row.date))
        order.lines.update(status=row.status)
    # What was ordered has left the shelves before the count in content.py.
    for product in content.products():
        StockRecord.objects.filter(product_id=product.id).update(num_in_stock=product.stock, num_allocated=0)


def _put(basket: Basket, product: Product, quantity: int) -> None:
    """Put a product in a basket; a shelf that is empty now was not empty then."""
    StockRecord.objects.filter(product=product).update(num_in_stock=1000)
    basket.add_product(Product.objects.get(pk=product.pk), quantity)
