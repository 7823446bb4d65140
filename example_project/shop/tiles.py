"""Pictures for products that have none: a drawn tile with the title on its category's colour."""

from __future__ import annotations

import textwrap
import zlib
from html import escape

_LINES = 4


def tile(*, title: str, category: str, product_id: str) -> str:
    """Return a square SVG picture; the same product always looks the same."""
    hue = (zlib.adler32(category.encode()) >> 16) * 137 % 360  # the golden angle: hues far apart
    turn = zlib.crc32(product_id.encode()) % 360
    lines = textwrap.wrap(title, width=15, max_lines=_LINES, placeholder=" …")
    top = 200 - 21 * (len(lines) - 1)
    text = "".join(
        f'<text x="200" y="{top + 42 * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" role="img" '
        f'aria-label="{escape(title, quote=True)}">'
        f'<rect width="400" height="400" fill="hsl({hue} 38% 90%)"/>'
        f'<g transform="rotate({turn} 200 200)" fill="hsl({hue} 45% 78%)">'
        '<circle cx="200" cy="40" r="110" opacity=".75"/>'
        '<circle cx="330" cy="300" r="70" opacity=".55"/>'
        '<circle cx="60" cy="320" r="45" opacity=".9"/></g>'
        f'<g font-family="Georgia, \'Times New Roman\', serif" font-size="35" '
        f'text-anchor="middle" dominant-baseline="middle" fill="hsl({hue} 45% 20%)">{text}</g>'
        f'<text x="200" y="372" font-family="system-ui, sans-serif" font-size="18" '
        f'letter-spacing="1.5" text-anchor="middle" fill="hsl({hue} 30% 38%)">'
        f"{escape(category.upper())}</text></svg>"
    )
