"""Product recommendations for any Django shop, over the storefront API that Depict clients speak.

The packages are the rooms that the data passes through, in this order:

``tenants``    whose shop it is: tenants, their markets and API keys
``catalog``    what can be recommended: products and categories
``feeds``      how products get in: readers, mapping, importer
``events``     what people did: views, carts, purchases
``engine``     the models: arrays in, arrays out, no Django
``training``   from tables to a trained and measured model
``artifacts``  the published model versions, on disk and in this process
``serving``    from a request to ranked products and their displays
``api``        HTTP: the storefront endpoints and the management API
``admin``      the pages for people

A room imports only from the rooms above it. ``tasks`` and ``management`` tie them together.
"""

__version__ = "0.1.0"
