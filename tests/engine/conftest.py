from __future__ import annotations

import pytest

from depict_reco.engine import blending


@pytest.fixture(params=["compiled", "numpy"])
def every_way_of_blending(request, monkeypatch):
    """The compiled part, where it could be built, and what stands in for it."""
    if request.param == "numpy":
        monkeypatch.setattr(blending, "compiled", None)
    elif blending.compiled is None:
        pytest.skip("depict_reco was installed without its compiled part, as without a C compiler")
