"""The management API: tenants, markets, types, catalogue, feeds, trainings and artifacts.

For scripts with a key of scope ``catalog``, which see their own tenant and nothing else, and for
staff with a session, who see what their Django permissions open to them.
"""
