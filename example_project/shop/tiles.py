# ruff: noqa: E501 - paths are not read line by line
"""Pictures for products that have none: a drawing of the thing, in the colours of its title."""

from __future__ import annotations

import re
import zlib
from html import escape

from example_project.shop.drawings import drawing_of

COLOURS = {
    "RED": "#c8433a", "PINK": "#e58aa5", "BLUE": "#4f82b5", "GREEN": "#5d9b6d", "WHITE": "#f7f4ee",
    "IVORY": "#f1e7d0", "CREAM": "#f3e6c8", "BLACK": "#3c3c44", "SILVER": "#b4bbc4",
    "GOLD": "#d6a53b", "PURPLE": "#8a6bb0", "LILAC": "#b79bd0", "YELLOW": "#efc64a",
    "ORANGE": "#e3873f", "TURQUOISE": "#4fb0ae", "AQUA": "#6bbcc0", "MINT": "#93cdb0",
    "BROWN": "#8a6344", "CHOCOLATE": "#7a5238", "WOODEN": "#b98a5c", "WOOD": "#b98a5c",
    "WICKER": "#bf955f", "ZINC": "#97a4ab", "METAL": "#8d9aa3", "GLASS": "#a9cfd6",
    "CRYSTAL": "#b9d9e6", "ANTIQUE": "#b08b52", "AMBER": "#d9963a", "LAVENDER": "#a898cf",
    "REGENCY": "#d98a9b", "ROSES": "#d66f86", "ROSE": "#d66f86", "RETROSPOT": "#c8433a",
    "STRAWBERRY": "#d3525c", "WOODLAND": "#7d9457", "SPACEBOY": "#4f82b5",
    "CHRISTMAS": "#b8433c", "SKULL": "#3c3c44", "UNION": "#3f5f9e", "GREY": "#9aa0a6",
}  # fmt: skip
"""What the words of a title look like."""

_OTHERS = (
    "#c9694f", "#5f8f8b", "#d59f4a", "#7a82b8", "#b5768f", "#6f9a5c", "#4f82b5", "#c78f6c",
)  # fmt: skip
_PATTERNS = (
    ("SPOTS?|RETROSPOT|POLKADOT|DOTTY|SPOTTY|DOTCOM", '<circle cx="11" cy="11" r="6"/><circle cx="31" cy="31" r="6"/>'),
    ("STRIPES?|STRIPEY|CIRCUS|UNION|DECK", '<path d="M0 0h14v40H0z"/>'),
    ("GINGHAM|CHECK|TARTAN|SCOTTIE|QUILT", '<path d="M0 0h20v20H0zM20 20h20v20H20z"/>'),
    ("FLOWERS?|ROSES?|FLORAL|DAISY|REGENCY|BLOSSOM|PAISLEY|STRAWBERRY", '<circle cx="20" cy="13" r="6"/><circle cx="13" cy="21" r="6"/><circle cx="27" cy="21" r="6"/><circle cx="20" cy="28" r="6"/>'),
    ("HEARTS?|LOVE|SWEETHEART", '<path d="M20 31C4 20 8 9 15 10c3 0 5 3 5 5 0-2 2-5 5-5 7-1 11 10-5 21z"/>'),
    ("STARS?|SPACEBOY|CHRISTMAS", '<path d="M20 8l4 8 9 1-7 6 2 9-8-4-8 4 2-9-7-6 9-1z"/>'),
)  # fmt: skip


def tile(*, title: str, category: str, product_id: str) -> str:
    """Return a square SVG picture; the same product always looks the same."""
    words = re.findall(r"[A-Z]+", title.upper())
    seed = zlib.crc32(product_id.encode())
    main, second = _colours(words, seed=seed)
    hue = (zlib.adler32(category.encode()) >> 16) * 137 % 360  # the golden angle: hues far apart
    pattern = _pattern(title.upper())
    drawing = drawing_of(title).substitute(
        a=main, b=second, d="#4a4138", l="#fffaf0", p="url(#p)" if pattern else main
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" role="img" '
        f'aria-label="{escape(title, quote=True)}">'
        f'<defs><radialGradient id="g" cy=".38"><stop offset="0" stop-color="hsl({hue} 45% 96%)"/>'
        f'<stop offset="1" stop-color="hsl({hue} 32% 87%)"/></radialGradient>'
        '<pattern id="p" width="40" height="40" patternUnits="userSpaceOnUse">'
        f'<rect width="40" height="40" fill="{main}"/>'
        f'<g fill="{_lighter_or_darker(main)}">{pattern}</g></pattern></defs>'
        '<rect width="400" height="400" fill="url(#g)"/>'
        '<ellipse cx="200" cy="330" rx="118" ry="15" opacity=".09"/>'
        f'<g transform="rotate({seed % 7 - 3} 200 200)" stroke-linejoin="round">{drawing}</g></svg>'
    )


def _colours(words: list[str], *, seed: int) -> tuple[str, str]:
    """Return the two colours of a product: those that its title names go first."""
    named = list(dict.fromkeys(COLOURS[word] for word in words if word in COLOURS))
    rest = [_OTHERS[(seed + step) % len(_OTHERS)] for step in (0, 3)]
    main, second, *_ = [*named, *(one for one in rest if one not in named)]
    return main, second


def _pattern(title: str) -> str:
    return next((drawn for words, drawn in _PATTERNS if re.search(rf"\b(?:{words})\b", title)), "")


def _lighter_or_darker(colour: str) -> str:
    """Return a colour that shows on another one."""
    light = sum(int(colour[at : at + 2], 16) for at in (1, 3, 5)) > 3 * 190
    return "rgba(120,90,70,.38)" if light else "rgba(255,250,240,.72)"
