"""Addresses: Oscar's, with product lists of our own before its, under the same names."""

from django.apps import apps
from django.urls import include, path, re_path

from .views import AllProducts, CategoryProducts, FoundProducts

urlpatterns = [
    path("catalogue/", AllProducts.as_view()),
    re_path(r"^catalogue/category/(?P<category_slug>[\w-]+(/[\w-]+)*)_(?P<pk>\d+)/$", CategoryProducts.as_view()),
    path("search/", FoundProducts.as_view()),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
