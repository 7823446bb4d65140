"""What others serve: a static FastAPI endpoint with the models of the contract.

It validates a request, and answers always the same displays, which are read from the file that
STATIC_ANSWER names; nothing is ranked, checked or looked up.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

_DISPLAYS = json.loads(Path(os.environ["STATIC_ANSWER"]).read_bytes())["displays"]


class RecommendForManyRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tenant: str
    market: str
    locale: str | None = None
    type: str
    limit: Annotated[int, Field(ge=1, le=128)] | None = None
    user_id: str | None = None
    session_id: str | None = None
    dsid: Annotated[str, Field(min_length=1)] | None = None
    document_referrer: str | None = None
    metadata: dict[str, str] | None = None
    product_ids: list[str]


class RecommendResponse(BaseModel):
    model_config = ConfigDict(extra="forbid")

    displays: list[dict[str, Any]]
    error: str | None = None
    variant: int | None = None
    experiment_id: str | None = None


app = FastAPI()


@app.post("/v2/recommend/products/products")
def recommend(request: RecommendForManyRequest) -> RecommendResponse:
    """Answer the same displays to everybody."""
    return RecommendResponse(displays=_DISPLAYS)
