"""A shop that does not exist, of any size, made from a seed: products, sessions, orders.

Products belong to clusters (a category each, with words of its own) and have a popularity after
Zipf; a session stays in one cluster for most of its clicks, and steps to near neighbours within
it. Orders add what goes with a product: its partner in the next cluster. So there is something
to learn, and the arrays have the long tail of a real shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.content import ProductText
from depict_reco.engine.interactions import Action, Interactions

END = 1_764_547_200.0
"""The newest event, in seconds since the epoch: 1 December 2025."""
DAY = 86_400.0
MARKET = "se"
MEAN_LENGTH = 5.0
LONGEST = 60
_STAYS = 0.85
"""Share of the clicks of a session within its cluster."""
_NEAR = 0.5
"""Share of those that lead to a near neighbour of the product before."""
_WORDS = (
    "classic", "light", "winter", "city", "soft", "pro", "mini", "natural", "retro", "sport",
    "royal", "simple", "large", "slim", "warm", "fresh", "deep", "wide", "pure", "north",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticShop:
    """The products of a shop: product ``i`` is in cluster ``clusters[i]``."""

    popularity: NDArray[np.float64]
    """Share of the clicks outside of clusters, shape (n,), sums to 1."""
    clusters: NDArray[np.int32]
    members: NDArray[np.int32]
    """All products, cluster by cluster, the most popular of each first."""
    starts: NDArray[np.int64]
    """Where each cluster begins in ``members``, and the end of the last, shape (clusters + 1,)."""

    def __len__(self) -> int:
        return len(self.clusters)

    def text(self, product: int) -> ProductText:
        """Return what a product says of itself."""
        cluster = int(self.clusters[product])
        words = [_WORDS[product % 20], _WORDS[product // 20 % 20], f"series{product // 400}"]
        return ProductText(
            title=f"kind{cluster} {' '.join(words)}",
            brand=f"brand{product % 97}",
            categories=(f"category-{cluster}",),
            attributes={"colour": f"colour{product % 12}"},
        )


def make_shop(
    n_products: int = 50_000, *, n_clusters: int | None = None, seed: int = 0
) -> SyntheticShop:
    """Return the products: popularity after Zipf, clusters of unlike sizes, 100 on average."""
    random = np.random.default_rng(seed)
    n_clusters = n_clusters or max(1, n_products // 100)
    popularity = 1.0 / (np.arange(n_products) + 10.0)
    random.shuffle(popularity)
    shares = random.dirichlet(np.full(n_clusters, 3.0))
    clusters = random.choice(n_clusters, size=n_products, p=shares).astype(np.int32)
    members = np.lexsort((-popularity, clusters)).astype(np.int32)
    counts = np.bincount(clusters, minlength=n_clusters)
    return SyntheticShop(
        popularity=popularity / popularity.sum(),
        clusters=clusters,
        members=members,
        starts=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
    )


def make_sessions(
    shop: SyntheticShop, n_clicks: int, *, days: int = 90, orders: bool = False, seed: int = 1
) -> Interactions:
    """Return about ``n_clicks`` views in sessions of ``days`` days, in time order.

    With ``orders`` every thirtieth session ends with one: its last product, the partner of that,
    and now and then a third. A shopper comes back for three sessions on average.
    """
    random = np.random.default_rng(seed)
    lengths = _lengths(random, n_clicks)
    n = len(lengths)
    owner = np.repeat(np.arange(n, dtype=np.int32), lengths)
    items = _walks(random, shop, lengths)
    begins = END - DAY * days * random.random(n)
    pauses = random.exponential(40.0, size=len(items))
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    pauses[first] = 0.0
    since = np.cumsum(pauses)
    times = begins[owner] + since - since[first][owner]
    shoppers = random.integers(0, max(n // 3, 1), size=n, dtype=np.int32)
    columns = [items, np.full(len(items), Action.VIEW, np.int8), owner, np.full_like(owner, -1)]
    if orders:
        buyers = np.flatnonzero(np.arange(n) % 30 == 0)
        last = first[buyers] + lengths[buyers] - 1
        bought, whose = _baskets(random, shop, items[last])
        columns[0] = np.concatenate((items, bought))
        columns[1] = np.concatenate((columns[1], np.full(len(bought), Action.PURCHASE, np.int8)))
        columns[2] = np.concatenate((owner, buyers[whose].astype(np.int32)))
        columns[3] = np.concatenate((columns[3], whose.astype(np.int32)))
        times = np.concatenate((times, times[last][whose] + 60.0))
    times = np.round(times, 3)
    order = np.argsort(times, kind="stable")
    items, actions, sessions, baskets = (column[order] for column in columns)
    return Interactions(
        items=items,
        actions=actions,
        sessions=sessions,
        baskets=baskets,
        shoppers=shoppers[sessions],
        times=times[order],
        n_items=len(shop),
    )


def product_name(product: int) -> str:
    """Return the id of a product."""
    return f"p{product:06d}"


def session_name(number: int) -> str:
    """Return the id of a session, of the length of a browser's UUID."""
    return f"{number:08x}-7c1e-4b53-9d0a-51f2c8e60b7d"


def browsed_pairs(n_products: int, *, count: int, seed: int = 7) -> Iterator[tuple[int, int, int]]:
    """Yield two products that a shopper saw one after the other, and the number of the session."""
    clicks = make_sessions(make_shop(n_products), 12 * count, seed=seed)
    order = np.argsort(clicks.sessions, kind="stable")
    items, sessions = clicks.items[order], clicks.sessions[order]
    pairs = np.flatnonzero((sessions[1:] == sessions[:-1]) & (items[1:] != items[:-1]))[:count]
    for at in pairs.tolist():
        yield int(items[at]), int(items[at + 1]), int(sessions[at])


def _lengths(random: np.random.Generator, n_clicks: int) -> NDArray[np.int64]:
    lengths = np.minimum(
        1 + random.geometric(1.0 / (MEAN_LENGTH - 1.0), size=int(n_clicks / MEAN_LENGTH)), LONGEST
    )
    return lengths.astype(np.int64)


def _walks(
    random: np.random.Generator, shop: SyntheticShop, lengths: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return the products of all sessions, one session after the other."""
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    items = np.empty(int(lengths.sum()), dtype=np.int32)
    rank = np.empty(len(shop), dtype=np.int64)
    rank[shop.members] = np.arange(len(shop)) - shop.starts[shop.clusters[shop.members]]
    everywhere = np.cumsum(shop.popularity)
    now = np.searchsorted(everywhere, random.random(len(lengths)))
    now = np.minimum(now, len(shop) - 1).astype(np.int32)
    home = shop.clusters[now]
    size = np.maximum(np.diff(shop.starts), 1)
    for step in range(int(lengths.max())):
        alive = np.flatnonzero(lengths > step)
        items[first[alive] + step] = now[alive]
        kind = random.random(len(alive))
        cluster = home[alive]
        # Zipf within the cluster: the logarithm of the rank is uniform
        drawn = np.exp(random.random(len(alive)) * np.log(size[cluster])).astype(np.int64) - 1
        near = rank[now[alive]] + random.geometric(0.4, size=len(alive))
        near = np.where(shop.clusters[now[alive]] == cluster, near, drawn)
        place = np.where(kind < _NEAR * _STAYS, near, drawn) % size[cluster]
        other = np.searchsorted(everywhere, random.random(len(alive)))
        stays = kind < _STAYS
        target = np.where(
            stays, shop.members[shop.starts[cluster] + place], np.minimum(other, len(shop) - 1)
        )
        now[alive] = target
    return items


def _baskets(
    random: np.random.Generator, shop: SyntheticShop, wanted: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the lines of orders about the ``wanted`` products, and the order of each line."""
    n = len(shop)
    place = np.empty(n, dtype=np.int64)
    place[shop.members] = np.arange(n)
    partner = shop.members[(place[wanted] + n // 2) % n]
    third = shop.members[(place[wanted] + 1) % n]
    lines = np.stack((wanted, partner, third), axis=1)
    keep = np.ones(lines.shape, dtype=bool)
    keep[:, 1] = random.random(len(wanted)) < 0.7
    keep[:, 2] = random.random(len(wanted)) < 0.3
    whose = np.broadcast_to(np.arange(len(wanted))[:, None], lines.shape)
    return lines[keep], whose[keep]
