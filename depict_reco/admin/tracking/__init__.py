"""The page “Tracking status”: what arrives, what it was taken for, and what to mend."""

from depict_reco.admin.tracking import page  # noqa: F401  importing registers the page
