"""Every model of the app; code outside the app imports them from here."""

from depict_reco.analytics.models import (
    CountedClick,
    Credit,
    DailyCounter,
    Results,
    Rollup,
    ServedCount,
)
from depict_reco.artifacts.models import Artifact, CurrentArtifact
from depict_reco.catalog.models import Category, Product
from depict_reco.events.erasures import Erasure
from depict_reco.events.models import Event, Refusal, TrackingStatus
from depict_reco.feeds.models import Feed, FeedRun
from depict_reco.serving.models import RecommendationType
from depict_reco.tenants.models import ApiKey, Market, Tenant
from depict_reco.training.models import TrainingRun

__all__ = [
    "ApiKey",
    "Artifact",
    "Category",
    "CountedClick",
    "Credit",
    "CurrentArtifact",
    "DailyCounter",
    "Erasure",
    "Event",
    "Feed",
    "FeedRun",
    "Market",
    "Product",
    "RecommendationType",
    "Refusal",
    "Results",
    "Rollup",
    "ServedCount",
    "Tenant",
    "TrackingStatus",
    "TrainingRun",
]
