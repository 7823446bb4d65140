"""What can go wrong, under one base class; each docstring is the default message."""

from __future__ import annotations


class DepictRecoError(Exception):
    """Something went wrong in depict_reco."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class TypeKeyError(DepictRecoError):
    """The primary key of a recommendation type is too great for recommendation ids."""


class FeedError(DepictRecoError):
    """The feed as a whole cannot be read."""


class FeedShrunkError(FeedError):
    """A full feed would take away more products than allowed."""


class AddressNotAllowedError(FeedError):
    """The address is not public, and the settings do not allow private ones."""


class EventImportError(DepictRecoError):
    """The file of events as a whole cannot be read."""


class ShopperError(DepictRecoError):
    """These ids cannot be those of one shopper."""


class EventsNotCountedError(DepictRecoError):
    """Events cannot be counted yet, and must not be deleted before."""


class TrainingError(DepictRecoError):
    """The training did not finish."""


class TrainingRunningError(TrainingError):
    """Another training of this market is running."""


class TrainingMemoryError(TrainingError):
    """The training needs more memory than there is."""


class ArtifactError(DepictRecoError):
    """The artifact cannot be used."""


class ArtifactBrokenError(ArtifactError):
    """The files of the artifact are missing, incomplete or altered."""
