"""The page “Results”: what recommendations brought, over time and by place."""

from depict_reco.admin.results import page  # noqa: F401  importing registers the page
