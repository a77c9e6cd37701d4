"""Lists of products: the catalogue, a category, what a search finds. Straight from the database.

Oscar's own need a search engine beside the database; a shop of this size does not, and one file is all a private copy
has to own. They fill the templates of Oscar's views, and so have its form of context.
"""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.views.generic import ListView
from oscar.apps.catalogue.models import Category, Product
from oscar.apps.search.forms import SearchForm

Row = dict[str, Any]
Test = Callable[[Row], bool]

FACETS: dict[str, tuple[str, dict[str, tuple[str, Test]]]] = {
    "price": (
        "Price",
        {
            "0-20": ("Under $20", lambda row: row["price"] < 20),
            "20-50": ("$20 to $50", lambda row: 20 <= row["price"] < 50),
            "50-100": ("$50 to $100", lambda row: 50 <= row["price"] < 100),
            "100-": ("$100 and over", lambda row: row["price"] >= 100),
        },
    ),
    "rating": (
        "Customer rating",
        {
            "4": ("4 stars and up", lambda row: (row["rating"] or 0) >= 4),
            "3": ("3 stars and up", lambda row: (row["rating"] or 0) >= 3),
        },
    ),
    "stock": ("Availability", {"yes": ("In stock", lambda row: row["stock"] > 0)}),
}
"""Name of a filter, its title, and its choices: each with a label and a test."""

ORDERS: dict[str, tuple[Callable[[Row], Any], bool]] = {
    "rating": (lambda row: row["rating"] or 0, True),
    "newest": (lambda row: row["date_created"], True),
    "price-desc": (lambda row: row["price"], True),
    "price-asc": (lambda row: row["price"], False),
    "title-asc": (lambda row: row["title"].lower(), False),
    "title-desc": (lambda row: row["title"].lower(), True),
}
"""Orders: what they sort by, and whether the largest is first."""


def words(text: str) -> list[str]:
    """Return a text's words, in lower case."""
    return re.findall(r"\w+", text.lower())


def score(row: Row, wanted: list[str]) -> int:
    """Return how well a product matches: 0 unless each wanted word begins one of its words; titles weigh most."""
    total = 0
    fields = [(words(row["title"]), 4), (words(row["upc"] or ""), 6), (words(row["description"]), 1)]
    for word in wanted:
        best = max((weight for own, weight in fields if any(one.startswith(word) for one in own)), default=0)
        if not best:
            return 0
        total += best
    return total


class ProductList(ListView):
    """A list of products that can be narrowed down, sorted and paged through."""

    paginate_by = settings.OSCAR_PRODUCTS_PER_PAGE
    request: HttpRequest

    def products(self) -> QuerySet:
        """Return what the list is about."""
        found: QuerySet = Product.objects.browsable()
        return found

    def ranked(self, rows: list[Row]) -> list[Row]:
        """Return the rows that belong, in the order that they have unless another is asked for."""
        return rows

    def get_queryset(self) -> Any:
        """Return the ids of the products, narrowed down and sorted."""
        columns = "id", "title", "upc", "description", "rating", "date_created", "stockrecords__price"
        found = self.products().order_by("id").distinct().values(*columns, "stockrecords__num_in_stock")
        rows = [
            {**row, "price": row["stockrecords__price"] or 0, "stock": row["stockrecords__num_in_stock"] or 0}
            for row in found
        ]
        self.rows = rows = self.ranked(rows)
        for test in self._tests():
            rows = [row for row in rows if test(row)]
        if order := ORDERS.get(self.request.GET.get("sort_by", "")):
            rows = sorted(rows, key=order[0], reverse=order[1])
        return [row["id"] for row in rows]

    def _chosen(self) -> list[tuple[str, str]]:
        pairs = (facet.partition(":") for facet in self.request.GET.getlist("selected_facets"))
        return [(name, value) for name, _, value in pairs if name in FACETS and value in FACETS[name][1]]

    def _tests(self, but: str = "") -> list[Test]:
        return [FACETS[name][1][value][1] for name, value in self._chosen() if name != but]

    def _facets(self) -> dict[str, Any]:
        chosen = self._chosen()
        kept = [(key, value) for key, value in self.request.GET.items() if key not in ("selected_facets", "page")]
        data: dict[str, Any] = {}
        for name, (title, choices) in FACETS.items():
            rows = [row for row in self.rows if all(test(row) for test in self._tests(but=name))]
            others = [pair for pair in chosen if pair[0] != name]
            results = []
            for value, (label, test) in choices.items():
                selected = (name, value) in chosen
                then = others if selected else [*others, (name, value)]
                query = urlencode([*kept, *(("selected_facets", ":".join(pair)) for pair in then)])
                url = f"{self.request.path}?{query}"
                count = sum(map(test, rows))
                results.append(
                    {"name": label, "selected": selected, "select_url": url, "deselect_url": url, "count": count,
                     "disabled": not count and not selected, "show_count": True}
                )  # fmt: skip
            data[name] = {"name": title, "results": results}
        return data

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what Oscar's templates of product lists want to know."""
        context = super().get_context_data(**kwargs)
        page, form = context["page_obj"], SearchForm(self.request.GET)
        found = Product.objects.base_queryset().prefetch_related("images").in_bulk(list(page.object_list))
        shown = [SimpleNamespace(object=found[number]) for number in page.object_list]
        page.object_list = shown
        return {
            **context, "form": form, "search_form": form, "query": self.request.GET.get("q", ""), "page": page,
            "products": shown, "facet_data": self._facets(), "has_facets": True,
            "selected_facets": [":".join(pair) for pair in self._chosen()],
        }  # fmt: skip


class AllProducts(ProductList):
    """The whole catalogue."""

    template_name = "oscar/catalogue/browse.html"
    extra_context = {"summary": "All products"}  # noqa: RUF012


class CategoryProducts(ProductList):
    """What is in a category, or in those below it."""

    template_name = "oscar/catalogue/category.html"

    def products(self) -> QuerySet:
        """Return the category's products."""
        self.category = get_object_or_404(Category, pk=self.kwargs["pk"])
        return super().products().filter(categories__in=self.category.get_descendants_and_self())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return the context, with the category."""
        return super().get_context_data(category=self.category, **kwargs)


class FoundProducts(ProductList):
    """What a search finds: products that have all the words, titles first."""

    template_name = "oscar/search/results.html"

    def ranked(self, rows: list[Row]) -> list[Row]:
        """Return the rows that match, best first."""
        wanted = words(self.request.GET.get("q", ""))
        found = [(score(row, wanted), row) for row in rows] if wanted else []
        return [row for rank, row in sorted(found, key=lambda pair: -pair[0]) if rank]
