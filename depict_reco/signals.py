"""Signals for users of the app, sent after the fact and after commit; our own flow uses none.

``feed_imported``       sender: FeedRun; ``run`` the FeedRun
``training_finished``   sender: TrainingRun; ``run`` the TrainingRun, whatever its status
``artifact_published``  sender: Artifact; ``artifact`` the Artifact that is now served
"""

from django.dispatch import Signal

feed_imported = Signal()
training_finished = Signal()
artifact_published = Signal()
