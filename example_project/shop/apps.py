from django.apps import AppConfig


class ShopConfig(AppConfig):
    """A small shop that shows what the recommendations are like."""

    name = "example_project.shop"
    label = "shop"
