"""Make the shop's data from Online Retail: invoice lines, and a product feed per market.

    python example_project/data/extract.py online_retail.csv[.gz]

reads the rows of the data set (D. Chen, UCI Machine Learning Repository, 2015) as CSV with its
eight columns, and writes beside this script

``online_retail.csv.gz``      the rows of four countries, without their descriptions, oldest first
``products_<market>.csv.gz``  what those invoices say about the products sold in each market

Run twice on the same rows it writes the same files.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

MARKETS = {"United Kingdom": "uk", "Germany": "de", "France": "fr", "EIRE": "ie"}
SHOP = "http://localhost:8000"
INVOICE_COLUMNS = (
    "InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
FEED_COLUMNS = (
    "product_id", "sku", "item_group_id", "title", "category_ids", "price", "sale_price",
    "availability", "image_url", "page_url",
)  # fmt: skip

STOCK_AGE = timedelta(days=90)
"""A product that nobody bought for this long counts as sold out: there is one warehouse."""

SALE_AGE = timedelta(days=30)
"""The price of these last days is today's price."""

PRODUCT_CODE = re.compile(r"(\d{5})[A-Z]{0,3}|DCGS\w+")
"""Other codes are postage, discounts, fees, vouchers and corrections."""

CATEGORIES = (
    # the first category of which a word begins a word of the title wins
    ("Christmas", "christmas xmas advent santa reindeer snowman snowflake nativity bauble rudolph"),
    ("Easter", "easter bunny bunnies chick rabbit"),
    ("Candles & Lights", "candle t-light tlight light lantern lamp chandelier incense votive led "
                         "sunjar candlestick"),
    ("Bags & Purses", "bag purse shopper tote holdall handbag wallet rucksack backpack luggage "
                      "suitcase passport"),
    ("Jewellery & Hair", "necklace bracelet earring brooch bangle ring jewellery hair bead "
                         "hairclip hairslide hairband choker pendant charm bobbles diamante"),
    ("Tea & Coffee", "tea teapot coffee mug cup teacup saucer teatime cafetiere espresso"),
    ("Baking & Cakes", "cake cakestand cakes baking bake muffin cupcake jelly whisk rolling "
                       "recipe cookie biscuit sugar spice"),
    ("Lunch & Picnic", "lunch snack picnic bottle flask thermos sandwich"),
    ("Kitchen & Dining", "kitchen bowl plate tray spoon cutlery dish jug glass napkin apron "
                         "oven towel jar tin placemat coaster ladle scales butter egg pot pantry "
                         "bread tumbler wine fruit pepper salt tablecloth goblet colander beaker"),
    ("Toys & Games", "toy game doll puzzle playhouse dolly domino snap cards soldier ludo skittles "
                     "jigsaw spinning skipping racing farm knitted pinata bingo dinosaur hopper "
                     "magic marbles yoyo whistle soft rattle robot harmonica kite frisbee"),
    ("Stationery & Craft", "notebook pencil pen card paper sticker wrap ribbon stamp eraser "
                           "ruler chalk crayon craft sewing knitting postcard envelope gift tissue "
                           "book sketchbook tape writing journal letter magnet blackboard "
                           "felt colouring"),
    ("Party", "bunting party balloon garland cocktail confetti streamer parasol cracker"),
    ("Garden & Outdoors", "garden bird plant watering flower herb greenhouse windmill gnome wheel "
                          "umbrella trellis seed trowel spade bucket wellington birdhouse feeder"),
    ("Bath & Beauty", "bath soap wash bathroom manicure toilet make-up vanity cosmetic perfume "
                      "massage tissues plasters hot-water bottle hot nail"),
    ("Clocks & Storage", "clock drawer box basket rack hook storage cabinet shelf hanger tidy "
                         "chest holder crate bin trinket shelves stand knob"),
    ("Textiles", "cushion throw quilt rug blanket doormat mat curtain pillow scarf shawl poncho "
                 "sock slipper glove pads stool fleecy"),
    ("Frames & Decoration", "frame mirror picture sign wall art heart decoration hanging wreath "
                            "doorstop ornament cornice photo print vase figure angel wood metal "
                            "zinc wicker block canvas"),
)  # fmt: skip


@dataclass(slots=True)
class Product:
    """What the invoices say about one product."""

    descriptions: Counter[str] = field(default_factory=Counter)
    sold: dict[str, list[tuple[datetime, float]]] = field(default_factory=lambda: defaultdict(list))
    """Per market: when, and for how much."""

    @property
    def title(self) -> str:
        """The commonest description, in title case; empty if there is none worth showing."""
        return title_case(self.descriptions.most_common(1)[0][0]) if self.descriptions else ""

    @property
    def last_sold(self) -> datetime:
        return max(time for sales in self.sold.values() for time, _ in sales)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="the data set as CSV, gzipped or not")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    rows = list(read_rows(options.source))
    write(options.output / "online_retail.csv.gz", INVOICE_COLUMNS, invoice_lines(rows))
    products = collect(rows)
    for market in MARKETS.values():
        write(
            options.output / f"products_{market}.csv.gz",
            FEED_COLUMNS,
            feed_rows(products, market=market, today=parse_time(rows[-1]["InvoiceDate"])),
        )


def read_rows(source: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of our markets, oldest first, codes in upper case."""
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Country"] in MARKETS]
    for row in rows:
        row["StockCode"] = row["StockCode"].strip().upper()
        row["InvoiceDate"] = row["InvoiceDate"].replace("T", " ")[:16]
    yield from sorted(rows, key=lambda row: (row["InvoiceDate"], row["InvoiceNo"]))


def invoice_lines(rows: Iterable[dict[str, str]]) -> Iterator[list[str]]:
    """Yield the lines as they are, without descriptions."""
    for row in rows:
        yield [row[column] for column in INVOICE_COLUMNS]


def collect(rows: Iterable[dict[str, str]]) -> dict[str, Product]:
    """Gather what the sales say about each product; cancellations and corrections say nothing."""
    products: dict[str, Product] = defaultdict(Product)
    for row in rows:
        price, quantity = float(row["UnitPrice"]), int(row["Quantity"])
        if price <= 0 or quantity <= 0 or row["InvoiceNo"].startswith("C"):
            continue
        if not PRODUCT_CODE.fullmatch(row["StockCode"]):
            continue
        product = products[row["StockCode"]]
        product.sold[MARKETS[row["Country"]]].append((parse_time(row["InvoiceDate"]), price))
        description = " ".join(row["Description"].split()).strip(" .,*")
        if description.isupper() or any(letter.isdigit() for letter in description):
            product.descriptions[description.upper()] += 1  # notes of the staff are in lower case
    return {code: product for code, product in sorted(products.items()) if product.title}


def feed_rows(
    products: dict[str, Product], *, market: str, today: datetime
) -> Iterator[list[object]]:
    """Yield the rows of a market's feed: every product that was sold there."""
    for code, product in products.items():
        sales = product.sold.get(market)
        if not sales:
            continue
        price = statistics.median_low(price for _, price in sales)
        recent = [price for time, price in sales if today - time < SALE_AGE]
        now = statistics.median_low(recent) if len(recent) >= 5 else price
        colours = re.fullmatch(r"(\d{5})[A-Z]+", code)
        yield [
            code,
            code,
            colours[1] if colours else code,
            product.title,
            category(product.title),
            f"{price:.2f}",
            f"{now:.2f}" if now <= 0.9 * price else "",
            "in stock" if today - product.last_sold < STOCK_AGE else "out of stock",
            f"{SHOP}/tile/{code}.svg",
            f"{SHOP}/{market}/product/{code}",
        ]


def category(title: str) -> str:
    """Return the category that the words of a title speak for."""
    words = [re.sub(r"[^a-z-]", "", word.lower()) for word in title.split()]
    for name, stems in CATEGORIES:
        known = set(stems.split())
        if any(word in known or word.removesuffix("s") in known for word in words):
            return name
    return "Home & Gifts"


def title_case(text: str) -> str:
    """Return shouted text in title case: ``SET/6 RED CUPS`` becomes ``Set/6 Red Cups``."""
    return re.sub(r"[^\W\d_]+(?:'[^\W\d_]+)?", lambda word: word[0].capitalize(), text.lower())


def parse_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M")


def write(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a gzipped CSV file; the same rows make the same bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    sys.stderr.write(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
