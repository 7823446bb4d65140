"""Addresses of the shop's pages."""

from django.urls import include, path

from example_project.shop import views

pages = [
    path("", views.catalogue, name="catalogue"),
    path("basket", views.basket, name="basket"),
    path("basket/change", views.change_basket, name="change_basket"),
    path("order", views.order, name="order"),
    path("thanks", views.thanks, name="thanks"),
    path("product/<path:product_id>", views.product, name="product"),
]
urlpatterns = [
    path("", views.home, name="home"),
    path("tile/<path:product_id>.svg", views.tile, name="tile"),
    path("<slug:market>/", include((pages, "shop"))),
    # the same pages once more, whose rows Depict's own client fills; links stay within them
    path("<slug:market>/depict/", include((pages, "shop"), namespace="depict")),
]
