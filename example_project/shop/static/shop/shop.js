// What the example shows beside a plain shop: what the script of depict_reco asks and sends.

const POST = { category_id: "category", product_id: "product", product_ids: "products" };
const script = document.querySelector("script[data-tenant]").dataset;

// The feeds name one host; a page that is shown on another one stays there.
const here = (url) => url.replace(/^https?:\/\/[^/]+/, "");

document.addEventListener("depict:recommendations", ({ target, detail: { question, displays } }) => {
  const behind = target.querySelector("[data-behind]");
  const kind = POST[Object.keys(POST).find((name) => name in question)] ?? "general";
  const address = `/v2/recommend/products/${kind}`;
  const body = { tenant: script.tenant, market: script.market, ...question };
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  behind.querySelector(".address").textContent = address;
  behind.querySelector(".curl").textContent =
    `curl -s ${location.origin}${address} -H 'Origin: ${location.origin}' -d '${quoted}'`;
  behind.querySelector(".request").textContent = JSON.stringify(body, null, 2);
  behind.querySelector(".response").textContent = JSON.stringify({ displays }, null, 2);
  for (const display of displays) {
    display.page_url = here(display.page_url);
    display.image_url = here(display.image_url);
  }
});

// The newest events of this visit, as the script sends them.
const KEPT = 12;
const told = document.querySelector("[data-told]");
const events = JSON.parse(sessionStorage.getItem("told") ?? "[]");

function show() {
  const rows = events.slice(-KEPT).reverse().map((text) => {
    const row = document.createElement("li");
    row.textContent = text;
    return row;
  });
  told.querySelector("ol").replaceChildren(...rows);
  told.querySelector("b").textContent = events.length;
  told.hidden = !events.length;
}

document.addEventListener("depict:event", ({ detail: event }) => {
  const about = event.product_id ?? event.transaction_id ?? `a card (${event.recommendation_id?.slice(0, 8)}…)`;
  events.push(`${event.type}: ${about}`);
  sessionStorage.setItem("told", JSON.stringify(events.slice(-200)));
  show();
});
show();

// Copy the curl command of a row.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.closest("details").querySelector(".curl").textContent);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});
