"""Starting a training from a page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _

from depict_reco.admin import links
from depict_reco.admin.background import CannotStartError, start_command
from depict_reco.models import Market, TrainingRun


def may_train(request: HttpRequest) -> bool:
    return request.user.has_perm("depict_reco.train_model")


def start(request: HttpRequest, market: Market) -> bool:
    """Start the training of a market in the background, and say so; return whether it began."""
    runs = links.list_url(TrainingRun, market=market.pk)
    if TrainingRun.objects.filter(market=market).alive().exists():
        text = _("{market} is being trained already. {link}")
        level, started = messages.WARNING, False
    else:
        try:
            start_command("reco_train", market.tenant.slug, market.slug)
        except CannotStartError as error:
            messages.error(request, str(error))
            return False
        text = _("The training of {market} was started. {link}")
        level, started = messages.SUCCESS, True
    link = links.link(runs, _("Watch it among the training runs."))
    messages.add_message(request, level, format_html(text, market=market, link=link))
    return started
