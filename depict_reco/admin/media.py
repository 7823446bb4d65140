"""Scripts and styles of the pages; files only, so that a strict content policy can stay."""

from __future__ import annotations

from django.contrib.admin.widgets import get_select2_language
from django.forms import Media


def select_media() -> Media:
    """Return the scripts and styles of Django's own search boxes."""
    i18n = get_select2_language()
    vendor = "admin/js/vendor"
    language = (f"{vendor}/select2/i18n/{i18n}.js",) if i18n else ()
    return Media(
        js=(
            f"{vendor}/jquery/jquery.min.js",
            f"{vendor}/select2/select2.full.js",
            *language,
            "admin/js/jquery.init.js",
            "admin/js/autocomplete.js",
            "depict_reco/lookups.js",
        ),
        css={
            "screen": (
                "admin/css/vendor/select2/select2.css",
                "admin/css/autocomplete.css",
            )
        },
    )
