"""Visit every kind of page once: what is compiled and cached on the way, every copy of the shop has from the start."""

from django.contrib.auth.models import User
from django.test import Client

from ..content import CUSTOMERS, STAFF, category_path, orders_of, product, products

SOMEBODY = CUSTOMERS[0]


def visit_all() -> None:
    """Look around as a visitor, buy something as a customer, look at the dashboard as the staff."""
    thing, order = product(3).path, orders_of(SOMEBODY)[0].number
    gone = next(row.path for row in products() if not row.stock)
    public = ("/catalogue/", category_path("House"), thing, gone, f"{thing}reviews/", "/search/?q=mug", "/basket/")
    _look(Client(), *public, "/accounts/login/", "/offers/")
    customer = _logged_in(SOMEBODY.email)
    account = "/accounts/profile/", "/accounts/profile/edit/", "/accounts/orders/", f"/accounts/orders/{order}/"
    _look(customer, *public, *account, "/accounts/addresses/", "/accounts/addresses/add/", "/accounts/addresses/1/")
    _look(customer, f"{thing}reviews/add/", "/accounts/wishlists/", SOMEBODY.wish_list, f"{SOMEBODY.wish_list}add/3/")
    customer.post("/basket/add/3/", {"quantity": 1})
    _look(customer, "/basket/", "/catalogue/", "/checkout/shipping-address/")
    customer.post("/checkout/shipping-address/", {"action": "ship_to", "address_id": 1})
    _look(customer, "/checkout/shipping-method/")
    customer.post("/checkout/shipping-method/", {"method_code": "express"})
    _look(customer, "/checkout/payment-details/", "/checkout/preview/")
    customer.post("/checkout/preview/", {"action": "place_order"})
    _look(customer, "/checkout/thank-you/")
    _look(
        _logged_in(STAFF[0]),
        "/dashboard/",
        "/dashboard/orders/",
        f"/dashboard/orders/{order}/",
        "/dashboard/catalogue/",
    )


def _logged_in(user: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=user), "oscar.apps.customer.auth_backends.EmailBackend")
    return client


def _look(client: Client, *paths: str) -> None:
    for path in paths:
        answer = client.get(path, follow=True)
        if answer.status_code != 200:
            raise SystemExit(f"{path}: status {answer.status_code}")
