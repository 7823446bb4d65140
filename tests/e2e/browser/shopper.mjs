// One visit to the shop by one shopper, in Chromium: node shopper.mjs '{"chromium": ..., "shop": ...}'
// Prints, as JSON, what the shopper did, what the pages were answered and what they sent.
import { chromium } from "playwright-core";

const { chromium: executablePath, shop, images } = JSON.parse(process.argv[2]);
const PATIENCE = 20_000;
const RECOMMEND = "/v2/recommend/products/";

const report = { acts: [], answers: [], frames: [], replies: {}, hosts: [], problems: [] };
const hosts = new Set();
const did = (type, about) => report.acts.push({ type, ...about });

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
const context = await browser.newContext({ viewport: { width: 800, height: 1300 } });
await context.route("**", (route) => {
  const { hostname } = new URL(route.request().url());
  hosts.add(hostname);
  return ["localhost", "127.0.0.1"].includes(hostname) ? route.continue() : route.abort();
});
const page = await context.newPage();
page.setDefaultTimeout(PATIENCE);
page.on("pageerror", (error) => report.problems.push(String(error)));
page.on("console", (message) => {
  if (message.type() === "error") report.problems.push(message.text());
});
page.on("websocket", (socket) => {
  hosts.add(new URL(socket.url()).hostname);
  socket.on("framesent", ({ payload }) => report.frames.push(JSON.parse(payload)));
  socket.on("framereceived", ({ payload }) => {
    const { id, status } = JSON.parse(payload);
    (report.replies[id] ??= []).push(status);
  });
});

async function until(condition, what) {
  for (const end = Date.now() + PATIENCE; !condition(); ) {
    if (Date.now() > end) throw new Error(`${what} does not happen`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const isStored = (type, about) =>
  report.frames.some(
    ({ id, event }) =>
      event.type === type &&
      Object.entries(about).every(([name, value]) => event[name] === value) &&
      report.replies[id]?.includes("ok"),
  );

const storedBySocket = (type, about) =>
  until(() => isStored(type, about), `${type} of ${JSON.stringify(about)} is stored`);

const storedByBeacon = (path) =>
  page.waitForResponse(
    (response) =>
      new URL(response.url()).pathname === path && response.request().method() === "POST",
  );

// Wait for a page and look at all that it recommends.
async function look(types, arrive) {
  const asked = types.map((type) =>
    page.waitForResponse(
      (response) =>
        response.url().includes(RECOMMEND) &&
        response.request().postDataJSON().type === type,
    ),
  );
  await arrive();
  for (const response of await Promise.all(asked)) {
    const request = response.request();
    const question = request.postDataJSON();
    const { displays } = await response.json();
    const cards = page.locator(`[data-type=${question.type}] [data-recommendation-id]`);
    await cards.nth(displays.length - 1).waitFor();
    report.answers.push({
      path: new URL(request.url()).pathname,
      contentType: request.headers()["content-type"],
      question,
      displays,
      cards: await cards.evaluateAll((found) =>
        found.map((card) => ({
          recommendationId: card.dataset.recommendationId,
          productId: (card.querySelector("[data-product]") ?? card).dataset.product,
          title: card.querySelector(".title").textContent,
        })),
      ),
    });
    for (const { recommendation_id } of displays) {
      await storedBySocket("element_visible", { recommendation_id });
      did("element_visible", { recommendation_id });
    }
  }
}

async function arriveAtProduct(productId, from) {
  await look(["cross_sell", "similar"], async () => {
    await from();
    await page.waitForURL(`**/products/${productId}*`);
  });
  await storedBySocket("page_view", { product_id: productId, url: page.url() });
  did("page_view", { product_id: productId });
}

const card = (type, position) => page.locator(`[data-type=${type}] [data-recommendation-id]`).nth(position);

const idOf = (type, position) => card(type, position).getAttribute("data-recommendation-id");

// Click on a card, which leads to its product.
async function follow(type, position) {
  const recommendation_id = await idOf(type, position);
  const shown = report.answers.flatMap(({ displays }) => displays);
  const productId = shown.find((one) => one.recommendation_id === recommendation_id).product_id;
  // the beacon outlives the page, and nobody sees its answer
  await arriveAtProduct(productId, () => card(type, position).locator(".title").click());
  did("click", { recommendation_id });
  return productId;
}

// Put the product of a card into the basket, without leaving the page.
async function takeFromCard(type, position) {
  const recommendation_id = await idOf(type, position);
  const stored = storedByBeacon("/create-events");
  await card(type, position).locator(".depict-add-to-cart").click();
  await stored;
  await storedBySocket("add_to_cart", { recommendation_id });
  await storedBySocket("ws_click", { recommendation_id }); // the very click that the beacon told
  did("click", { recommendation_id });
  did("add_to_cart", { recommendation_id });
}

async function takeThisProduct(productId) {
  await page.locator(".product .depict-add-to-cart").click();
  await storedBySocket("add_to_cart", { product_id: productId });
  did("add_to_cart", { product_id: productId });
}

async function order() {
  const stored = storedByBeacon("/v2/create-events");
  await page.locator(".order").click();
  report.purchaseAnswer = await (await stored).json();
  did("purchase", {});
}

async function photograph(name) {
  if (!images) return;
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.locator("body").screenshot({ path: `${images}/${name}.png` });
}

try {
  await look(["for_you"], () => page.goto(`${shop}/`));
  await photograph("client-front");
  const first = await follow("for_you", 2);
  await takeThisProduct(first);
  await takeFromCard("cross_sell", 0);
  await photograph("client-product");
  await look(["category"], () => page.goto(`${shop}/categories/teapots`));
  await follow("category", 1);
  await look(["checkout"], () => page.goto(`${shop}/basket`));
  await order();
} catch (error) {
  report.problems.push(String(error.stack));
}
report.hosts = [...hosts].sort();
await browser.close();
await new Promise((resolve) => process.stdout.write(JSON.stringify(report), resolve));
