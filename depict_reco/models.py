"""Every model of the app; code outside the app imports them from here."""

from depict_reco.artifacts.models import Artifact, CurrentArtifact
from depict_reco.catalog.models import Category, Product
from depict_reco.events.models import Event
from depict_reco.feeds.models import Feed, FeedRun
from depict_reco.serving.models import RecommendationType
from depict_reco.tenants.models import ApiKey, Market, Tenant
from depict_reco.training.models import TrainingRun

__all__ = [
    "ApiKey",
    "Artifact",
    "Category",
    "CurrentArtifact",
    "Event",
    "Feed",
    "FeedRun",
    "Market",
    "Product",
    "RecommendationType",
    "Tenant",
    "TrainingRun",
]
