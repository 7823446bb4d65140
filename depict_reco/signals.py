"""Signals for users of the app, sent after the fact and after commit; our own flow uses none.

``feed_imported``       sender: FeedRun; ``run`` the FeedRun
``training_finished``   sender: TrainingRun; ``run`` the TrainingRun, whatever its status
``artifact_published``  sender: Artifact; ``artifact`` the Artifact that is now served
``request_answered``    sender: Exchange; ``exchange`` the Exchange of one request to the API, sent
                        in the thread that answers it: a receiver must be quick
"""

from django.dispatch import Signal

feed_imported = Signal()
training_finished = Signal()
artifact_published = Signal()
request_answered = Signal()
