"""Contracts that every model of the engine keeps, to be run against a model of your own::

    class TestMyModel(ScorerContract):
        def fit(self, groups):
            return MyModel.fit(groups)

        def score(self, model, query):
            return model.scores_of(query)

Needs pytest. Import it only in tests.
"""

from depict_reco.testing.contracts import ScorerContract, groups_of

__all__ = ["ScorerContract", "groups_of"]
