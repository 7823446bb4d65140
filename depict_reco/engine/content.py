"""Content similarity: products that read alike, for shops and products without any history.

TF-IDF over hashed terms (Salton and Buckley, 1988; hashing after Weinberger et al., 2009), so
that no vocabulary is kept and a product that came after the training can be compared as well.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine import matrices
from depict_reco.engine.neighbours import Neighbours, best_of_products
from depict_reco.engine.sparse import EMPTY, Scored, ragged_positions, sum_by_item

BUCKETS = 1 << 20
MAX_DOCUMENTS = 1500
"""A term of more products than this is *common*, unless the shop is small."""
MAX_PAIRS = 100_000_000
"""Pairs of products that terms may relate before any of them is common: the work of the fit."""
LIKED = 0.1
"""Of two products that read alike, a loved one is that much nearer than one without a friend."""

_WORD = re.compile(r"[^\W_]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductText:
    """What a product says of itself."""

    title: str = ""
    brand: str = ""
    categories: tuple[str, ...] = ()
    attributes: Mapping[str, str] | None = None
    description: str = ""


def terms_of(text: ProductText) -> dict[int, float]:
    """Return the hashed terms of a product with their weights within it."""
    counts: dict[str, float] = {}
    for word in _WORD.findall(text.title.casefold()):
        counts[word] = counts.get(word, 0.0) + 1.0
    for word in set(_WORD.findall(text.description.casefold()[:2000])):
        counts.setdefault(word, 0.3)
    if text.brand:
        counts["brand:" + text.brand.casefold()] = 1.0
    for category in text.categories:
        counts["category:" + category] = 1.5
    for name, value in (text.attributes or {}).items():
        if len(value) <= 100:
            counts[f"{name}={value.casefold()}"] = 0.7
    hashed: dict[int, float] = {}
    for term, count in counts.items():
        bucket = zlib.crc32(term.encode("utf-8", "surrogatepass")) % BUCKETS
        hashed[bucket] = hashed.get(bucket, 0.0) + count
    return hashed


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentModel:
    """TF-IDF vectors of all items, the other way round, and each item's nearest ones.

    ``bucket_indptr`` int64 (BUCKETS + 1,), ``bucket_items`` int32 and ``bucket_weights`` float32:
    per hashed term the items that have it. ``idf`` float32 (BUCKETS,).
    """

    neighbours: Neighbours
    bucket_indptr: NDArray[np.int64]
    bucket_items: NDArray[np.int32]
    bucket_weights: NDArray[np.float32]
    idf: NDArray[np.float32]

    @classmethod
    def fit(
        cls,
        texts: Iterable[ProductText],
        *,
        liked: NDArray[np.float32] | None = None,
        count: int = 100,
    ) -> Self:
        """Index the texts of items 0, 1, 2, …

        Common terms tell little and cost much: neighbours are looked for by the others. Where a
        product has no others, it is compared with the most liked products of its common terms.

        Parameters
        ----------
        liked
            float32 (n_items,) from 0 to 1: decides between products that read alike; default 0.
        """
        matrix = _term_weights(texts)
        n = matrix.shape[0]
        liked = np.zeros(n, dtype=np.float32) if liked is None else liked
        documents = np.bincount(matrix.indices, minlength=BUCKETS)
        idf = np.log((n + 1.0) / (documents + 0.5)).astype(np.float32)
        idf[documents == 0] = np.log(n + 1.0)
        matrix = _normalised(matrix, idf)
        common = _common(documents)
        found = _only(matrix, _found_by_their_terms(matrix, common, liked))
        asking = _only(matrix, ~common[matrix.indices] | _without_other_terms(matrix, common))
        nearness = matrices.diags((1.0 + LIKED * liked).astype(np.float32))
        columns = found.tocsc()
        return cls(
            neighbours=best_of_products(
                asking, (nearness @ found).T.tocsr(), count=count, minimum=0.05
            ),
            bucket_indptr=columns.indptr.astype(np.int64),
            bucket_items=columns.indices.astype(np.int32),
            bucket_weights=columns.data.astype(np.float32),
            idf=idf,
        )

    def scores_of_text(self, text: ProductText) -> Scored:
        """Score items by their likeness to a product that need not be among them."""
        buckets, weights = self._vector(text)
        at, lengths = ragged_positions(self.bucket_indptr, buckets)
        if len(at) == 0:
            return EMPTY
        scores = self.bucket_weights[at] * np.repeat(weights, lengths)
        return sum_by_item(self.bucket_items[at], scores.astype(np.float32))

    def likeness(self, text: ProductText, others: Iterable[ProductText]) -> NDArray[np.float32]:
        """Return the cosine of a text and each of some others, none of which need be an item's."""
        buckets, weights = self._vector(text)
        own = dict(zip(buckets.tolist(), weights.tolist(), strict=True))
        found = []
        for other in others:
            terms = zip(*(part.tolist() for part in self._vector(other)), strict=True)
            found.append(sum(weight * own.get(bucket, 0.0) for bucket, weight in terms))
        return np.array(found, dtype=np.float32)

    def _vector(self, text: ProductText) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the hashed terms of a text and their weights, of length 1 together."""
        terms = terms_of(text)
        buckets = np.fromiter(terms, dtype=np.int64, count=len(terms))
        weights = np.log1p(np.fromiter(terms.values(), dtype=np.float32, count=len(terms)))
        weights *= self.idf[buckets]
        weights /= max(float(np.sqrt((weights**2).sum())), 1e-12)
        return buckets, weights


def _normalised(matrix: matrices.csr_matrix, idf: NDArray[np.float32]) -> matrices.csr_matrix:
    matrix.data *= idf[matrix.indices]
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    norms = np.sqrt(np.bincount(rows, weights=matrix.data**2, minlength=matrix.shape[0]))
    matrix.data /= np.maximum(norms, 1e-12)[rows].astype(np.float32)
    return matrix


def _term_weights(texts: Iterable[ProductText]) -> matrices.csr_matrix:
    """Return the matrix items x hashed terms of damped term counts."""
    indptr = [0]
    buckets: list[int] = []
    weights: list[float] = []
    for text in texts:
        terms = terms_of(text)
        buckets.extend(terms)
        weights.extend(terms.values())
        indptr.append(len(buckets))
    return matrices.csr_matrix(
        (np.log1p(np.asarray(weights, dtype=np.float32)), buckets, indptr),
        shape=(len(indptr) - 1, BUCKETS),
    )


def _common(documents: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which terms are common, shape (BUCKETS,), of the number of products of each."""
    order = np.argsort(documents, kind="stable")
    work = np.cumsum(documents[order].astype(np.float64) ** 2)
    common = np.empty(len(documents), dtype=bool)
    common[order] = work > MAX_PAIRS
    return common & (documents > MAX_DOCUMENTS)


def _without_other_terms(
    matrix: matrices.csr_matrix, common: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which entries of a matrix are of rows that have common terms only."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    others = np.bincount(rows[~common[matrix.indices]], minlength=matrix.shape[0])
    return others[rows] == 0


def _found_by_their_terms(
    matrix: matrices.csr_matrix, common: NDArray[np.bool_], liked: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return which entries a product is found by: of a common term those of the most liked."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    kept = ~common[matrix.indices]
    entries = np.flatnonzero(~kept)
    terms = matrix.indices[entries]
    order = np.lexsort((rows[entries], -liked[rows[entries]], terms))
    terms = terms[order]
    first = np.searchsorted(terms, terms)
    kept[entries[order[np.arange(len(order)) - first < MAX_DOCUMENTS]]] = True
    return kept


def _only(matrix: matrices.csr_matrix, entries: NDArray[np.bool_]) -> matrices.csr_matrix:
    matrix = matrix.copy()
    matrix.data[~entries] = 0.0
    matrix.eliminate_zeros()
    return matrix
