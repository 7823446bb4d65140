// The front page and the categories, without any framework, with @depict-ai/ui and @depict-ai/dpc.
import { DPC } from "@depict-ai/dpc";
import { RecommendationGrid, fetchDepictRecommendations } from "@depict-ai/ui";
import { COLUMNS, GAP, MARKET, SHOP, hrefOf, imageOf, priceBefore, priceOf, questionOf, sections } from "./shop.js";

new DPC(SHOP, { market: MARKET });

function element(tag, fields, ...children) {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
}

function card(display) {
  if (!display) return [element("div", { className: "card waiting" })];
  const before = element("s", { textContent: priceBefore(display) });
  const link = element(
    "a",
    { href: hrefOf(display) },
    element("img", { src: imageOf(display), alt: "", width: 400, height: 400 }),
    element("span", { className: "name", textContent: display.title }),
    element("span", { className: "price" }, priceOf(display), " ", before),
  );
  return [element("article", { className: "card" }, link)];
}

for (const section of sections()) {
  section.append(
    RecommendationGrid({
      recommendations: fetchDepictRecommendations({ merchant: SHOP, market: MARKET, ...questionOf(section) }),
      product_card_template: card,
      cols_at_size: COLUMNS,
      grid_spacing: GAP,
      title: section.dataset.title,
    }),
  );
}
