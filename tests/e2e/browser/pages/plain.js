// A category page without any framework, with @depict-ai/ui and @depict-ai/dpc.
import { DPC } from "@depict-ai/dpc";
import { RecommendationGrid, fetchDepictRecommendations } from "@depict-ai/ui";
import { LIMIT, MARKET, SHOP, priceOf } from "./shop.js";

const type = "category";
const categoryId = decodeURIComponent(location.pathname.split("/").pop());

new DPC(SHOP, { market: MARKET });

function card(display) {
  const link = document.createElement("a");
  link.className = "card";
  if (display) {
    link.href = display.page_url;
    link.dataset.product = display.product_id;
    const image = Object.assign(new Image(), { src: display.image_url, alt: "" });
    link.append(image, text("title", display.title), text("price", priceOf(display)));
  }
  return [link];
}

function text(className, content) {
  return Object.assign(document.createElement("span"), { className, textContent: content });
}

const section = Object.assign(document.createElement("section"), { className: "placement" });
section.dataset.type = type;
section.append(
  RecommendationGrid({
    recommendations: fetchDepictRecommendations({
      merchant: SHOP,
      market: MARKET,
      type,
      categoryId,
      limit: LIMIT,
    }),
    product_card_template: card,
    cols_at_size: [[LIMIT]],
    grid_spacing: "16px",
    title: `Popular in ${categoryId}`,
  }),
);
document.querySelector("main").append(section);
