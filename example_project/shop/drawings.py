# ruff: noqa: E501 - paths are not read line by line
"""Simple drawings of what a gift shop sells, each with the words of a title that call for it.

On a square of 400; ``$p`` is filled with the product's pattern, ``$a`` with its colour, ``$b`` with
its second one, ``$d`` is dark and ``$l`` light.
"""

from __future__ import annotations

import re
from string import Template

_SOURCES: tuple[tuple[str, str], ...] = (
    (
        "CAKE ?STAND|AFTERNOON TEA",
        '<path d="M196 88h8v210h-8zM150 298h100l14 14H136z" fill="$d"/>'
        '<g fill="$p"><ellipse cx="200" cy="270" rx="112" ry="17"/>'
        '<ellipse cx="200" cy="196" rx="84" ry="14"/><ellipse cx="200" cy="128" rx="56" ry="11"/></g>'
        '<g fill="$b"><circle cx="140" cy="244" r="20"/><circle cx="190" cy="246" r="20"/>'
        '<circle cx="252" cy="244" r="20"/><circle cx="160" cy="174" r="17"/>'
        '<circle cx="236" cy="174" r="17"/><circle cx="200" cy="108" r="15"/></g>'
        '<circle cx="200" cy="80" r="9" fill="$d"/>',
    ),
    (
        "TEA ?POT|COFFEE POT|KETTLE|TEA SET",
        '<path d="M268 190c44-14 60 12 50 42-8 26-32 34-56 34" fill="none" stroke="$a" stroke-width="16"/>'
        '<path d="M132 224c-40 4-44-44-76-46l-8-14c54-6 70 24 96 30z" fill="$a"/>'
        '<ellipse cx="200" cy="232" rx="88" ry="72" fill="$p"/>'
        '<path d="M140 172c10-26 110-26 120 0z" fill="$b"/><circle cx="200" cy="142" r="13" fill="$d"/>'
        '<rect x="150" y="296" width="100" height="14" rx="7" fill="$d"/>',
    ),
    (
        "TEA ?CUP|SAUCER|\\bCUPS?\\b",
        '<path d="M268 186c52-8 56 66-10 68" fill="none" stroke="$a" stroke-width="15"/>'
        '<path d="M108 160h170c0 74-28 122-85 122s-85-48-85-122z" fill="$p"/>'
        '<ellipse cx="193" cy="160" rx="85" ry="15" fill="$d" opacity=".55"/>'
        '<ellipse cx="194" cy="294" rx="120" ry="17" fill="$b"/>',
    ),
    (
        "MUGS?|BEAKER|TANKARD",
        '<path d="M262 176c74-12 74 96 0 86" fill="none" stroke="$a" stroke-width="18"/>'
        '<rect x="116" y="132" width="150" height="168" rx="16" fill="$p"/>'
        '<ellipse cx="191" cy="134" rx="75" ry="13" fill="$d" opacity=".6"/>',
    ),
    (
        "CAKES?|CUPCAKE|MUFFIN|PUDDING|JELLY|BAKING",
        '<path d="M122 212h156l-24 98H146z" fill="$p"/>'
        '<path d="M112 214c-22-44 22-60 34-54 4-40 58-56 84-26 34-8 60 26 44 46 24 6 26 34 14 34z" fill="$b"/>'
        '<circle cx="204" cy="112" r="17" fill="$d"/>',
    ),
    (
        "UMBRELLA|PARASOL",
        '<path d="M196 90h8v200c0 44-60 44-60 4h14c0 24 38 24 38-4z" fill="$d"/>'
        '<path d="M70 226C74 60 326 60 330 226c-18-24-48-24-65 0-18-24-48-24-65 0-17-24-47-24-65 0-17-24-47-24-65 0z" fill="$p"/>',
    ),
    (
        "PURSE|WALLET|COIN",
        '<path d="M96 196c0-20 208-20 208 0l18 72c6 36-250 36-244 0z" fill="$p"/>'
        '<path d="M96 196c10-64 198-64 208 0" fill="none" stroke="$d" stroke-width="13"/>'
        '<circle cx="190" cy="142" r="12" fill="$b"/><circle cx="211" cy="142" r="12" fill="$b"/>',
    ),
    (
        "BAGS?|SHOPPER|TOTE|HOLDALL|BACKPACK|LUNCH",
        '<path d="M150 170v-36c0-56 100-56 100 0v36" fill="none" stroke="$b" stroke-width="15"/>'
        '<path d="M104 164h192l18 146H86z" fill="$p"/><path d="M104 164h192l4 30H100z" fill="$b" opacity=".85"/>',
    ),
    (
        "LANTERN|LAMP|CHANDELIER|LIGHT BULB|FAIRY LIGHTS|LIGHTS",
        '<path d="M150 128h100l18 22H132z" fill="$d"/><path d="M168 128c0-60 64-60 64 0" fill="none" stroke="$d" stroke-width="9"/>'
        '<rect x="140" y="150" width="120" height="138" rx="6" fill="$p" opacity=".8"/>'
        '<path d="M200 190c40 48 22 78 0 78s-40-30 0-78z" fill="#f7c948"/><rect x="128" y="286" width="144" height="20" rx="5" fill="$d"/>',
    ),
    (
        "(?:T-?LIGHTS?|CANDLES?|INCENSE).* HOLDERS?|CANDLES?|T-?LIGHTS?|INCENSE|VOTIVE",
        '<rect x="150" y="170" width="100" height="132" rx="10" fill="$p"/>'
        '<ellipse cx="200" cy="172" rx="50" ry="13" fill="$l"/><path d="M197 140h6v32h-6z" fill="$d"/>'
        '<path d="M200 76c32 38 18 68 0 68s-32-30 0-68z" fill="#f7b733"/><path d="M200 104c14 18 8 34 0 34s-14-16 0-34z" fill="#fff3c4"/>'
        '<ellipse cx="200" cy="306" rx="92" ry="16" fill="$b"/>',
    ),
    (
        "NECKLACE|PENDANT|BRACELET|CHARM|BANGLE|BEADS?",
        '<path d="M112 104c0 130 60 158 88 158s88-28 88-158" fill="none" stroke="$d" stroke-width="5"/>'
        '<g fill="$a"><circle cx="118" cy="158" r="13"/><circle cx="136" cy="204" r="15"/><circle cx="264" cy="204" r="15"/>'
        '<circle cx="282" cy="158" r="13"/><circle cx="166" cy="240" r="17"/><circle cx="234" cy="240" r="17"/></g>'
        '<path d="M200 250l32 40-32 42-32-42z" fill="$b"/>',
    ),
    (
        "EARRINGS?|DROPS?",
        '<g fill="none" stroke="$d" stroke-width="6"><path d="M140 150c-22-44 34-60 28-10M236 150c-22-44 34-60 28-10"/></g>'
        '<g fill="$a"><circle cx="144" cy="168" r="17"/><circle cx="240" cy="168" r="17"/></g>'
        '<g fill="$b"><path d="M144 188c42 56 22 96 0 96s-42-40 0-96zM240 188c42 56 22 96 0 96s-42-40 0-96z"/></g>',
    ),
    (
        "\\bRINGS?\\b|DIAMANTE|CRYSTAL",
        '<circle cx="200" cy="240" r="70" fill="none" stroke="$a" stroke-width="20"/>'
        '<path d="M160 106h80l30 36-70 52-70-52z" fill="$b"/><path d="M130 142h140M160 106l40 88 40-88" fill="none" stroke="$l" stroke-width="4"/>',
    ),
    (
        "HAIR|SLIDE|BROOCH|\\bBOW\\b|RIBBONS?",
        '<path d="M200 200L90 134v132zM200 200l110-66v132z" fill="$p"/><path d="M188 210l-40 106 36-14 16-84 16 84 36 14-40-106z" fill="$b"/>'
        '<circle cx="200" cy="202" r="25" fill="$d"/>',
    ),
    (
        "CHRISTMAS TREE|\\bTREES?\\b",
        '<rect x="184" y="280" width="32" height="40" fill="#8a5a3b"/><path d="M200 76l62 92h-30l54 68h-32l50 56H96l50-56h-32l54-68h-30z" fill="#3f7d58"/>'
        '<g fill="$b"><circle cx="180" cy="170" r="10"/><circle cx="226" cy="216" r="11"/><circle cx="160" cy="250" r="11"/><circle cx="246" cy="268" r="10"/></g>'
        '<path d="M200 52l9 20 22 2-17 14 6 22-20-12-20 12 6-22-17-14 22-2z" fill="#f0b429"/>',
    ),
    (
        "CLOCK|ALARM|WATCH|TIMER",
        '<circle cx="200" cy="206" r="106" fill="$p"/><circle cx="200" cy="206" r="82" fill="$l"/>'
        '<path d="M200 144v62l44 26" fill="none" stroke="$d" stroke-width="11" stroke-linecap="round"/>'
        '<circle cx="200" cy="206" r="9" fill="$b"/><path d="M118 112l30-28M282 112l-30-28" stroke="$d" stroke-width="16" stroke-linecap="round"/>',
    ),
    (
        "MIRROR",
        '<ellipse cx="200" cy="196" rx="96" ry="116" fill="$p"/><ellipse cx="200" cy="196" rx="70" ry="90" fill="#dcebf0"/>'
        '<path d="M162 232l70-90M186 250l60-78" stroke="#fff" stroke-width="11" stroke-linecap="round"/>',
    ),
    (
        "FRAMES?|PICTURE|PHOTO|\\bART\\b|CANVAS|PRINT",
        '<rect x="88" y="104" width="224" height="192" rx="6" fill="$p"/><rect x="116" y="132" width="168" height="136" fill="$l"/>'
        '<path d="M116 268l56-74 42 48 26-28 44 54z" fill="$b"/><circle cx="244" cy="168" r="17" fill="#f0b429"/>',
    ),
    (
        "SIGNS?|PLAQUE|DOORMAT|LETTER|\\bTILES?\\b|BLACKBOARD|CHALK ?BOARD|NUMBER",
        '<path d="M120 172l80-76 80 76" fill="none" stroke="$d" stroke-width="6"/><rect x="76" y="170" width="248" height="110" rx="14" fill="$p"/>'
        '<rect x="92" y="186" width="216" height="78" rx="8" fill="$l"/><path d="M122 214h156M150 240h100" stroke="$d" stroke-width="11" stroke-linecap="round"/>',
    ),
    (
        "RABBIT|BUNNY|TEDDY|BEAR|SOFT TOY|DOLL|TOYS?|ELEPHANT|\\bDOG\\b|\\bCAT\\b",
        '<g fill="$p"><circle cx="144" cy="122" r="32"/><circle cx="256" cy="122" r="32"/><circle cx="200" cy="166" r="76"/><ellipse cx="200" cy="280" rx="72" ry="58"/></g>'
        '<ellipse cx="200" cy="190" rx="36" ry="27" fill="$l"/><g fill="$d"><circle cx="174" cy="152" r="8"/><circle cx="226" cy="152" r="8"/><circle cx="200" cy="182" r="11"/></g>'
        '<ellipse cx="200" cy="286" rx="38" ry="36" fill="$b"/>',
    ),
    (
        "EGGS?|EASTER|CHICK",
        '<path d="M200 92c58 0 96 92 96 146 0 52-42 84-96 84s-96-32-96-84c0-54 38-146 96-146z" fill="$p"/>'
        '<path d="M108 214l31-24 30 24 31-24 31 24 30-24 31 24v26H106z" fill="$b"/>',
    ),
    (
        "BIRDS?|DOVE|OWL|HEN|DUCK|ROBIN|COCKEREL|SWALLOW",
        '<path d="M92 214c0-70 60-106 116-86 40 14 56 48 96 44-10 78-60 124-124 118-56-4-88-34-88-76z" fill="$p"/>'
        '<path d="M148 206c40-20 92 0 100 46-50 14-94-6-100-46z" fill="$b"/><circle cx="136" cy="180" r="10" fill="$d"/><path d="M94 196l-38 10 36 20z" fill="#e8912d"/>'
        '<path d="M176 288v36M212 286v38" stroke="#e8912d" stroke-width="7"/>',
    ),
    (
        "BUTTERFLY",
        '<g fill="$p"><path d="M196 200C150 70 60 104 82 160c10 30 60 44 114 40zM204 200c46-130 136-96 114-40-10 30-60 44-114 40z"/></g>'
        '<g fill="$b"><path d="M196 204c-80-6-104 40-80 76 24 34 66 6 80-76zM204 204c80-6 104 40 80 76-24 34-66 6-80-76z"/></g><rect x="193" y="140" width="14" height="150" rx="7" fill="$d"/>',
    ),
    (
        "BUNTING|GARLAND|PARTY|BALLOON",
        '<path d="M48 128c100 56 204 56 304 0" fill="none" stroke="$d" stroke-width="6"/>'
        '<path d="M62 138l56 22-40 62zM174 170h54l-27 74zM284 160l56-22-16 84z" fill="$p"/>'
        '<path d="M120 162l52 8-34 74zM230 170l52-9-18 84z" fill="$b"/>',
    ),
    (
        "NOTEBOOK|DIARY|JOURNAL|BOOKS?|CALENDAR|PLANNER|ALBUM",
        '<rect x="112" y="88" width="180" height="228" rx="10" fill="$p"/><rect x="112" y="88" width="32" height="228" rx="8" fill="$b"/>'
        '<rect x="170" y="136" width="96" height="58" rx="6" fill="$l"/><path d="M186 156h64M186 174h42" stroke="$d" stroke-width="6"/>',
    ),
    (
        "PENS?|PENCILS?|CRAYONS?|CHALKS?|PAINT",
        '<g transform="rotate(24 200 200)"><path d="M132 130h36v140l-18 40-18-40z" fill="$a"/><path d="M182 130h36v140l-18 40-18-40z" fill="$p"/><path d="M232 130h36v140l-18 40-18-40z" fill="$b"/>'
        '<path d="M132 112h36v22h-36zM182 112h36v22h-36zM232 112h36v22h-36z" fill="$d"/></g>',
    ),
    (
        "CARDS?|ENVELOPES?|POSTCARD|INVITES?|STAMPS?|PASSPORT",
        '<rect x="84" y="130" width="232" height="154" rx="8" fill="$p"/><path d="M84 134l116 90 116-90" fill="none" stroke="$d" stroke-width="9"/><circle cx="200" cy="228" r="23" fill="$b"/>',
    ),
    (
        "WRAP|PAPER|TISSUE|TAPE|STICKERS?|DOILIES|ROLL",
        '<rect x="92" y="124" width="216" height="66" rx="33" fill="$p"/><ellipse cx="292" cy="157" rx="20" ry="33" fill="$l"/><ellipse cx="292" cy="157" rx="8" ry="14" fill="$d"/>'
        '<rect x="92" y="216" width="216" height="66" rx="33" fill="$b"/><ellipse cx="292" cy="249" rx="20" ry="33" fill="$l"/><ellipse cx="292" cy="249" rx="8" ry="14" fill="$d"/>',
    ),
    (
        "HOT WATER BOTTLE",
        '<rect x="172" y="78" width="56" height="48" rx="8" fill="$d"/><path d="M130 150c0-34 140-34 140 0v140c0 44-140 44-140 0z" fill="$p"/><path d="M150 170h100v24H150z" fill="$b"/>',
    ),
    (
        "WATERING CAN|JUGS?|PITCHER",
        '<path d="M244 164c60-20 66 84 4 84" fill="none" stroke="$a" stroke-width="16"/><path d="M140 112h108l8 40c20 70 6 150-18 158h-88c-26-8-38-88-18-158l-26-36z" fill="$p"/><path d="M130 200h130v20H128z" fill="$b"/>',
    ),
    (
        "BOTTLE|VASE|FLASK|PERFUME",
        '<path d="M176 80h48v64c48 28 56 60 56 92 0 52-24 84-80 84s-80-32-80-84c0-32 8-64 56-92z" fill="$p"/><rect x="168" y="72" width="64" height="24" rx="6" fill="$d"/><path d="M122 236h156v26H124z" fill="$b"/>',
    ),
    (
        "JARS?|TINS?|CANISTER|\\bPOTS?\\b|BUCKET|PANTRY|STORAGE TIN|PLANTER",
        '<rect x="118" y="138" width="164" height="174" rx="16" fill="$p"/><rect x="108" y="104" width="184" height="42" rx="10" fill="$d"/><rect x="146" y="196" width="108" height="60" rx="8" fill="$l"/><path d="M166 226h68" stroke="$d" stroke-width="9"/>',
    ),
    (
        "CABINET|DRAWERS?|CHEST|SHELF|CUPBOARD",
        '<rect x="104" y="92" width="192" height="216" rx="8" fill="$a"/><g fill="$p" stroke="$l" stroke-width="6"><rect x="120" y="108" width="160" height="54"/><rect x="120" y="172" width="160" height="54"/><rect x="120" y="236" width="160" height="54"/></g>'
        '<g fill="$d"><circle cx="200" cy="135" r="9"/><circle cx="200" cy="199" r="9"/><circle cx="200" cy="263" r="9"/></g>',
    ),
    (
        "BOWLS?|DISH|BASKET|COLANDER|BREAKFAST SET",
        '<path d="M84 176h232c0 82-46 126-116 126S84 258 84 176z" fill="$p"/><ellipse cx="200" cy="176" rx="116" ry="20" fill="$d" opacity=".55"/><rect x="156" y="298" width="88" height="14" rx="7" fill="$b"/>',
    ),
    (
        "PLATES?|TRAYS?|COASTERS?|PLACEMATS?",
        '<circle cx="200" cy="204" r="116" fill="$p"/><circle cx="200" cy="204" r="78" fill="$l"/><circle cx="200" cy="204" r="78" fill="none" stroke="$b" stroke-width="7"/>',
    ),
    (
        "CUTLERY|SPOONS?|FORKS?|KNIFE|WHISK",
        '<g fill="$p"><path d="M122 92h12v58h10V92h12v58h10V92h12v76c0 20-14 28-18 30v112h-20V198c-4-2-18-10-18-30z"/><path d="M226 92c34 0 40 90 12 108v110h-22V92z"/><ellipse cx="300" cy="136" rx="26" ry="42"/><rect x="290" y="170" width="20" height="140"/></g>',
    ),
    (
        "CUSHION COVERS?|CUSHIONS?|PILLOW",
        '<path d="M98 110c70 18 134 18 204 0 18 66 18 126 0 192-70-18-134-18-204 0-18-66-18-126 0-192z" fill="$p"/><path d="M200 166l12 26 28 4-20 20 5 28-25-13-25 13 5-28-20-20 28-4z" fill="$b"/>',
    ),
    (
        "TOWELS?|APRON|COVER|\\bRUG\\b|QUILT|THROW|NAPKINS?|CLOTH|SCARF|SHAWL|CURTAIN|MITT|GLOVE|SLIPPER|HAT",
        '<path d="M108 92h184v228c-30 16-62-14-92 0s-62 16-92 0z" fill="$p"/><path d="M108 122h184v22H108zM108 268h184v20H108z" fill="$b"/>',
    ),
    (
        "GAMES?|PUZZLE|DOMINO|PLAYING|SNAKES|SKITTLES|BINGO|DICE|BLOCK",
        '<rect x="92" y="150" width="140" height="140" rx="20" fill="$p" transform="rotate(-10 162 220)"/><rect x="196" y="112" width="116" height="116" rx="18" fill="$b" transform="rotate(14 254 170)"/>'
        '<g fill="$l"><circle cx="128" cy="190" r="13"/><circle cx="164" cy="220" r="13"/><circle cx="200" cy="250" r="13"/><circle cx="232" cy="150" r="11"/><circle cx="276" cy="190" r="11"/></g>',
    ),
    (
        "HOOKS?|HANGER|RACK|KEY|KNOB|HOLDER|STAND",
        '<rect x="80" y="124" width="240" height="46" rx="12" fill="$p"/><g fill="none" stroke="$d" stroke-width="13" stroke-linecap="round"><path d="M124 170v50c0 48 50 44 48 4M196 170v50c0 48 50 44 48 4M268 170v50c0 48 50 44 48 4"/></g>',
    ),
    (
        "BOX(ES)?|CASES?|TRUNK|CRATE",
        '<path d="M92 178h216v122H92z" fill="$p"/><path d="M80 132h240v50H80z" fill="$b"/><path d="M182 132h36v168h-36z" fill="$d" opacity=".28"/>',
    ),
    (
        "STARS?",
        '<path d="M200 84l36 76 82 10-60 58 16 84-74-42-74 42 16-84-60-58 82-10z" fill="$p"/>',
    ),
    (
        "HEARTS?|LOVE|SWEETHEART|VALENTINE",
        '<path d="M200 126V84" stroke="$d" stroke-width="6"/><path d="M200 306C70 214 92 116 156 116c26 0 40 18 44 32 4-14 18-32 44-32 64 0 86 98-44 190z" fill="$p"/>',
    ),
    (
        "FLOWERS?|ROSES?|DAISY|POSY|ORCHID|LILY|BLOSSOM|GARDEN|HERB|SEEDS?|PLANT",
        '<path d="M200 210v118M200 292c-40 0-52-24-52-38 34 0 50 14 52 38zM200 272c36 0 50-20 50-36-32 0-50 12-50 36z" fill="#5b9a68" stroke="#5b9a68" stroke-width="8"/>'
        '<g fill="$p"><circle cx="200" cy="106" r="36"/><circle cx="150" cy="142" r="36"/><circle cx="250" cy="142" r="36"/><circle cx="170" cy="196" r="36"/><circle cx="230" cy="196" r="36"/></g><circle cx="200" cy="156" r="29" fill="#f0b429"/>',
    ),
    (
        "CHRISTMAS|BAUBLE|SANTA|REINDEER|SNOWMAN|ADVENT|DECORATION",
        '<rect x="182" y="92" width="36" height="30" rx="5" fill="$d"/><path d="M200 92c0-30 24-30 20-8" fill="none" stroke="$d" stroke-width="5"/><circle cx="200" cy="214" r="96" fill="$p"/><path d="M108 196l30 22 31-22 31 22 31-22 31 22 30-22 3 26-33 22-31-22-31 22-31-22-31 22-32-22z" fill="$b"/>',
    ),
)  # fmt: skip

_GIFT = (
    '<rect x="100" y="182" width="200" height="128" rx="6" fill="$p"/><rect x="86" y="142" width="228" height="46" rx="6" fill="$a"/>'
    '<path d="M182 142h36v168h-36z" fill="$b"/><path d="M200 142c-84 4-86-76-30-62 20 6 30 40 30 62zM200 142c84 4 86-76 30-62-20 6-30 40-30 62z" fill="$b"/>'
)

_DRAWINGS = tuple((re.compile(rf"\b(?:{words})\b"), Template(source)) for words, source in _SOURCES)

_ORNAMENTS = len(_DRAWINGS) - 4
"""From here on stars, hearts, flowers, Christmas: drawn where a title names nothing else."""


def drawing_of(title: str) -> Template:
    """Return the drawing that the words of a title call for; a parcel if none does."""
    words = title.upper()
    # the thing comes last in a name: a bag for a bottle; hearts and roses are mostly printed on it
    found = [
        (order < _ORNAMENTS, match.end(), -order, drawing)
        for order, (pattern, drawing) in enumerate(_DRAWINGS)
        for match in pattern.finditer(words)
    ]
    return max(found, default=(False, 0, 0, Template(_GIFT)), key=lambda one: one[:3])[3]
