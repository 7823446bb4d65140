"""Findings about what arrives and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from depict_reco.admin import links
from depict_reco.admin.tables import moment
from depict_reco.admin.tracking.findings import Finding, Level, by_share, examples, number
from depict_reco.admin.tracking.sample import LIVE_WITHIN, Sample
from depict_reco.models import ApiKey

_SOCKET = ("page_view", "add_to_cart", "element_visible")
"""What Depict's client sends over its WebSocket, and never otherwise."""
_HOUR = timedelta(hours=1)
_SILENT_EVENTS = 20
_FAST_CLOCK = timedelta(minutes=2)


def flow_findings(sample: Sample) -> Iterator[Finding]:
    """Say which events are missing that should be there."""
    yield from _idle_keys(sample)
    yield from _unheard(sample)
    if not sample.live:
        if sample.events:
            yield _only_imported()
        return
    yield from _silence(sample)
    yield from _stopped_types(sample)
    yield from _missing_types(sample)
    yield from _without_recommendations(sample)
    yield from _clocks(sample)


def _only_imported() -> Finding:
    return Finding(
        code="only_imported",
        level=Level.WARNING,
        title=_("Nothing arrives from the shop: all events came from files."),
        advice=_(
            "Models can be trained from them, but nobody's clicks are seen. Point the shop's "
            "client, or its server, at the event endpoints of this server."
        ),
    )


def _silence(sample: Sample) -> Iterator[Finding]:
    arrivals = sorted((one.received_at for one in sample.live), reverse=True)
    silent = sample.now - arrivals[0]
    longest = max((late - early for late, early in pairwise(arrivals)), default=timedelta(0))
    unusual = len(arrivals) >= _SILENT_EVENTS and silent >= max(_HOUR, 3 * longest)
    if unusual or silent >= LIVE_WITHIN:
        yield Finding(
            code="silent",
            level=Level.ERROR if unusual else Level.WARNING,
            title=_("Nothing has arrived for %(time)s.") % {"time": since(sample, arrivals[0])},
            advice=_(
                "The longest pause before was %(time)s. Look whether the shop's last release "
                "changed the tag, whether the address of this server answers (/healthz), and "
                "below, whether requests are refused."
            )
            % {"time": _length(longest)},
        )


def _stopped_types(sample: Sample) -> Iterator[Finding]:
    """Find types that came regularly and then no more, while others still come."""
    live = sample.live
    for type_, count in sample.counts.items():
        newer = next(at for at, one in enumerate(live) if one.type == type_)
        missing = newer * count / (len(live) - newer)
        last = live[newer].time
        if count >= 5 and missing >= 20 and live[0].time - last >= _HOUR:
            yield Finding(
                code=f"stopped_{type_}",
                level=Level.ERROR,
                title=_("No %(type)s for %(time)s, while other events arrive.")
                % {"type": type_, "time": since(sample, last)},
                advice=_(
                    "Before, every %(nth)s. event was one. Look what the shop released at %(when)s."
                )
                % {"nth": number(round((len(live) - newer) / count)), "when": moment(last)},
            )


def _unheard(sample: Sample) -> Iterator[Finding]:
    """Find that recommendations are shown, and nothing is told of what comes of them."""
    newest = max((one.received_at for one in sample.live), default=None)
    if sample.served and (newest is None or sample.now - newest >= LIVE_WITHIN):
        yield Finding(
            code="served_unheard",
            level=Level.ERROR,
            title=_("%(n)s recommendations were sent since yesterday, and no event arrived.")
            % {"n": number(sample.served)},
            advice=_(
                "The shop asks this server for recommendations and tells its events to another "
                "address, or to none. Point its client at the event endpoints of this server; "
                "a key for events needs the scope “send events”."
            ),
        )


def _idle_keys(sample: Sample) -> Iterator[Finding]:
    for key in sample.idle_keys:
        url = links.list_url(ApiKey, tenant=sample.market.tenant_id)
        if key.last_used_at is None:
            yield Finding(
                code="unused_key",
                level=Level.WARNING,
                title=_("The key “%(name)s” may send events and has never been used.")
                % {"name": key.name},
                advice=_("Put it into the program that it was made for, or revoke it."),
                url=url,
            )
            continue
        yield Finding(
            code="idle_key",
            level=Level.WARNING,
            title=_("The key “%(name)s” may send events and has not been used for %(time)s.")
            % {"name": key.name, "time": since(sample, key.last_used_at)},
            advice=_(
                "The program that used it stopped, or uses another one. Start it again, or "
                "revoke the key."
            ),
            url=url,
        )


def _missing_types(sample: Sample) -> Iterator[Finding]:
    counts = sample.counts
    over_http = counts["click"] + counts["purchase"]
    over_socket = sum(counts[type_] for type_ in _SOCKET)
    if over_http and not over_socket:
        yield Finding(
            code="no_socket",
            level=Level.ERROR,
            title=_("Only clicks and purchases arrive: the WebSocket is not connected."),
            advice=_(
                "Depict's client sends page views, add-to-carts and what was visible over a "
                "WebSocket, whose address is fixed in its code: replace "
                "wss://ws.depict.ai/ws/create-events by wss://<this server>/ws/create-events "
                "when you bundle it. Here, install depict-reco[websocket], run the ASGI "
                "application, and let the proxy pass the Upgrade header."
            ),
        )
        return
    if not counts["add_to_cart"] and len(sample.live) >= 50:
        yield Finding(
            code="no_carts",
            level=Level.WARNING,
            title=_("No add_to_cart among the newest %(n)s events.")
            % {"n": number(len(sample.live))},
            advice=_(
                "Page views come, so the WebSocket works. Call dpq(“addToCart”, product id) where "
                "the shop puts something into the basket, and give buttons inside cards the "
                "class depict-add-to-cart."
            ),
        )
    if not counts["purchase"] and len(sample.live) >= (500 if counts["add_to_cart"] else 50):
        yield Finding(
            code="no_purchases",
            level=Level.ERROR,
            title=_("No purchase among the newest %(n)s events.") % {"n": number(len(sample.live))},
            advice=_(
                "Without them no sale finds its recommendation. Call dpq(“purchase”, …) on the "
                "page that thanks for the order, or send POST /v2/create-events from the shop's "
                "server."
            ),
        )
    if counts["click"] >= 3 and not counts["element_visible"]:
        yield Finding(
            code="never_visible",
            level=Level.NOTE,
            title=_("Cards are clicked, but none was ever reported visible."),
            advice=_(
                "Without element_visible there is no click rate. Newer clients do not send it by "
                "themselves: send it when most of a card has been on the screen for half a second."
            ),
        )
    yield from _sessions(sample)


def _sessions(sample: Sample) -> Iterator[Finding]:
    acting = {
        one.session_id for one in sample.live if one.session_id in sample.other_types
    }  # of the newest sessions that clicked or bought
    if sample.counts["page_view"]:
        blind = [name for name in acting if "page_view" not in sample.other_types[name]]
        if blind:
            yield Finding(
                code="without_views",
                level=by_share(len(blind), len(acting)),
                title=_("%(n)s of %(all)s sessions click or buy without a page view.")
                % {"n": number(len(blind)), "all": number(len(acting))},
                advice=_(
                    "Call dpq(“setProductId”, …) on every product page. If it is called, the page "
                    "view has another session id: use one id in all events of a visit."
                ),
                examples=examples(sorted(blind)),
            )
    bought = [one for one in sample.live if one.type == "purchase"]
    nobody = [one for one in bought if not one.shopper]
    if nobody and not sample.market.tenant.consent_required:  # or shoppers did not agree to it
        yield Finding(
            code="without_session",
            level=by_share(len(nobody), len(bought)),
            title=_("%(n)s of %(all)s purchases name no session and no user.")
            % {"n": number(len(nobody)), "all": number(len(bought))},
            advice=_(
                "They cannot be credited to a recommendation unless a transaction_mapping "
                "follows. Send the session id (cookie or local storage _dep_id) with the order."
            ),
            examples=examples(one.transaction_id for one in nobody),
        )
    strangers = [one for one in bought if sample.other_types.get(one.session_id) == frozenset()]
    if strangers:
        yield Finding(
            code="strangers",
            level=by_share(len(strangers), len(bought)),
            title=_("%(n)s of %(all)s purchases come from sessions that did nothing else.")
            % {"n": number(len(strangers)), "all": number(len(bought))},
            advice=_(
                "The checkout has another session id than the shop: often another domain, or a "
                "server that makes ids of its own. Pass the shop's _dep_id on."
            ),
            examples=examples(one.session_id for one in strangers),
        )


def _without_recommendations(sample: Sample) -> Iterator[Finding]:
    if len(sample.live) >= 200 and not any(one.recommendation_id for one in sample.live):
        yield Finding(
            code="no_recommendation_ids",
            level=Level.ERROR,
            title=_("No event carries a recommendation id."),
            advice=_(
                "Nothing can be credited to recommendations. Render each card with "
                "data-recommendation-id set to the display's recommendation_id."
            ),
        )


def _clocks(sample: Sample) -> Iterator[Finding]:
    fast = [one for one in sample.live if one.time - one.received_at > _FAST_CLOCK]
    if fast:
        most = max(one.time - one.received_at for one in fast)
        yield Finding(
            code="fast_clocks",
            level=by_share(len(fast), len(sample.live)),
            title=_("%(n)s events happened up to %(time)s after they arrived.")
            % {"n": number(len(fast)), "time": _length(most)},
            advice=_(
                "The sender's clock is fast, or it sends local times as UTC. Send times with "
                "their zone."
            ),
        )


def since(sample: Sample, time: datetime) -> str:
    """Say how long ago something was, in the largest unit."""
    return str(timesince(time, sample.now, depth=1))


def _length(span: timedelta) -> str:
    start = datetime(2026, 1, 1)
    return (
        str(timesince(start, start + span, depth=1))
        if span >= timedelta(minutes=1)
        else _("seconds")
    )
