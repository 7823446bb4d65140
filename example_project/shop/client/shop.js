// What both kinds of page know of the shop; the page says it.
const LIMIT = 6;
export const COLUMNS = [[LIMIT], [3, 960], [2, 720]]; // as in shop.css: at most so many pixels wide
export const GAP = "18px";

const { tenant, market, productId, change, token } = document.querySelector("main").dataset;
export const SHOP = tenant;
export const MARKET = market;
export const PRODUCT = productId;

export const sections = () => [...document.querySelectorAll("[data-depict]")];

export function questionOf(section) {
  const { depict: type, productId, productIds, categoryId } = section.dataset;
  const about = {};
  if (productId) about.productId = productId;
  if (productIds) about.productIds = productIds.split(",");
  if (categoryId) about.categoryId = categoryId;
  return { type, limit: LIMIT, ...about };
}

// The feeds name one host, and pages without Depict's client.
export function hrefOf({ page_url }) {
  const { pathname, search } = new URL(page_url);
  return pathname.replace(`/${MARKET}/`, `/${MARKET}/depict/`) + search;
}
export const imageOf = ({ image_url }) => new URL(image_url).pathname;

const money = (amount, currency) => new Intl.NumberFormat("en-GB", { style: "currency", currency }).format(amount);
export const priceOf = ({ sale_price, currency }) => money(sale_price, currency);
export const priceBefore = ({ sale_price, original_price, currency }) =>
  original_price > sale_price ? money(original_price, currency) : "";

// Buttons for the basket, Django's and those on cards. The page stays until the shop has answered, so
// that the client can tell what happened.
document.addEventListener("click", async (event) => {
  const button = event.target.closest(".depict-add-to-cart");
  if (!button) return;
  event.preventDefault(); // it stands in a form
  const body = new URLSearchParams({ product_id: button.dataset.productId });
  const answer = await fetch(change, { method: "POST", body, headers: { "X-CSRFToken": token } });
  location.assign(answer.url);
});
