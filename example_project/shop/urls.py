"""Addresses of the shop's pages."""

from django.urls import path

from example_project.shop import views

app_name = "shop"

urlpatterns = [
    path("", views.home, name="home"),
    path("tile/<path:product_id>.svg", views.tile, name="tile"),
    path("<slug:market>/", views.catalogue, name="catalogue"),
    path("<slug:market>/basket", views.basket, name="basket"),
    path("<slug:market>/basket/change", views.change_basket, name="change_basket"),
    path("<slug:market>/product/<path:product_id>", views.product, name="product"),
]
