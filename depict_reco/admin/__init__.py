"""The admin: one module per room, found by Django's autodiscovery.

Every action asks for its own permission:

=====================================  =================================================
hide, show, stock of products          ``depict_reco.change_product``
run a feed now                         ``depict_reco.change_feed`` and ``change_product``
revoke a key                           ``depict_reco.change_apikey``
train a model                          ``depict_reco.train_model``
publish an artifact or roll back       ``depict_reco.publish_artifact``
erase a shopper's data                 ``depict_reco.erase_shopper``
export a shopper's data                ``depict_reco.export_shopper``
=====================================  =================================================
"""

from depict_reco.admin import (  # noqa: F401  importing registers the pages
    artifacts,
    catalog,
    categories,
    events,
    feeds,
    keys,
    privacy,
    results,
    serving,
    tenants,
    tracking,
    training,
)
