// One visit to the example shop, in Chromium: node shop.mjs '{"chromium": …, "shop": …}'
// Prints, as JSON, what the shopper did and saw.
import { chromium } from "playwright-core";

const { chromium: executablePath, shop, browsed, images } = JSON.parse(process.argv[2]);
const report = { did: [], seen: [], forYou: [], refused: [], problems: [], shopper: null };
const UNSENT = () => !Object.keys(localStorage).some((name) => name.startsWith("_dep_unsent_"));

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
const context = await browser.newContext({ viewport: { width: 1240, height: 900 }, deviceScaleFactor: 1 });
await context.route("**", (route) => {
  const { hostname } = new URL(route.request().url());
  return ["localhost", "127.0.0.1"].includes(hostname) ? route.continue() : route.abort();
});
await context.addInitScript(() => {
  window.seenCards = [];
  document.addEventListener("depict:event", ({ detail: event }) => {
    if (event.type === "element_visible") window.seenCards.push(event.recommendation_id);
  });
});
const page = await context.newPage();
page.setDefaultTimeout(60_000);
page.on("pageerror", (error) => report.problems.push(String(error)));
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) report.problems.push(message.text());
});
page.on("response", (response) => {
  if (response.status() >= 400) report.refused.push(`${response.status()} ${response.url()}`);
});

const did = (type, about) => report.did.push({ type, ...about });
const row = (title) => page.locator("section.placement", { has: page.getByRole("heading", { name: title, exact: true }) });
const cards = (title) => row(title).locator("[data-recommendation-id]");
const idOf = (card) => card.getAttribute("data-recommendation-id");
const productOf = async (card) => decodeURIComponent(new URL(await card.locator("a").getAttribute("href"), shop).pathname.split("/product/")[1]);

async function photograph(name) {
  if (!images) return;
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(200);
  await page.screenshot({ path: `${images}/${name}.png` });
}

// Bring a row into sight until all of it has been seen. Rows that the script fills come first: they
// push away what is below them.
async function look(title) {
  await cards(title).first().waitFor();
  await row(title).evaluate((section) => section.scrollIntoView({ block: "center" }));
  const ids = await cards(title).evaluateAll((all) => all.map((card) => card.dataset.recommendationId));
  await page.waitForFunction((all) => all.every((id) => window.seenCards.includes(id)), ids);
  report.seen.push(...ids);
  return Promise.all((await cards(title).all()).map(productOf));
}

async function follow(title, position) {
  const card = cards(title).nth(position);
  const about = { recommendation_id: await idOf(card), product_id: await productOf(card) };
  await card.locator("a").click();
  await page.waitForURL("**/product/**");
  did("click", about);
  did("page_view", about); // the address of the page names the recommendation
  return about;
}

try {
  await page.goto(`${shop}/`);
  await look("Bestsellers");
  report.forYou.push(await look("On the rise"));
  for (const productId of browsed) {
    await page.goto(`${shop}/product/${productId}`);
    did("page_view", { product_id: productId, recommendation_id: "" });
    await look("Goes well with it");
    await look("Similar to this");
  }
  await page.waitForFunction(UNSENT);
  await photograph("shop-product");
  await page.goto(`${shop}/`);
  await look("Bestsellers");
  report.forYou.push(await look("For you"));
  await photograph("shop-front");
  const first = await follow("For you", 0); // rendered by Django
  const second = await follow("Goes well with it", 1); // rendered by the script
  await page.getByRole("button", { name: "Put into the basket" }).click();
  await page.waitForURL("**/basket");
  did("add_to_cart", second);
  await look("Often bought with these");
  const card = cards("Often bought with these").first();
  const third = { recommendation_id: await idOf(card), product_id: await productOf(card) };
  await Promise.all([page.waitForEvent("load"), card.getByRole("button", { name: "Add" }).click()]);
  await page.locator("table.lines tr").nth(2).waitFor();
  did("add_to_cart", third);
  await page.waitForFunction(UNSENT);
  await photograph("shop-basket");
  await page.getByRole("button", { name: "Place the order" }).click();
  await page.waitForURL("**/thanks");
  for (const { product_id } of [second, third]) did("purchase", { product_id, recommendation_id: "" });
  await look("For the next time");
  await page.reload(); // says the same order again
  await look("For the next time");
  await page.waitForFunction(UNSENT);
  report.shopper = await page.evaluate(() => ({
    kept: localStorage.getItem("_dep_id"), cookie: document.cookie, known: window.depictReco.shopperId(),
  }));
} catch (error) {
  report.problems.push(String(error.stack));
}
await browser.close();
process.stdout.write(JSON.stringify(report, null, 1));
