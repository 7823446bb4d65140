// One visit to the example shop's pages with Depict's own client, in Chromium:
// node depict.mjs '{"chromium": …, "shop": …, "product": …}'
// Prints, as JSON, what the shopper did, what the pages were answered and what they showed.
import { chromium } from "playwright-core";

const { chromium: executablePath, shop, product, images } = JSON.parse(process.argv[2]);
const PATIENCE = 60_000;
const report = { did: [], answers: [], sent: [], hosts: [], refused: [], problems: [], shopper: null };
const stored = new Set(); // what the server has answered: the ids of frames
const hosts = new Set();

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
const context = await browser.newContext({ viewport: { width: 1240, height: 900 }, deviceScaleFactor: 1 });
await context.route("**", (route) => {
  const { hostname } = new URL(route.request().url());
  hosts.add(hostname);
  return ["localhost", "127.0.0.1"].includes(hostname) ? route.continue() : route.abort();
});
const page = await context.newPage();
page.setDefaultTimeout(PATIENCE);
page.on("pageerror", (error) => report.problems.push(String(error)));
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) report.problems.push(message.text());
});
page.on("response", (response) => {
  if (response.status() >= 400) report.refused.push(`${response.status()} ${response.url()}`);
});
page.on("websocket", (socket) => {
  hosts.add(new URL(socket.url()).hostname);
  socket.on("framesent", ({ payload }) => report.sent.push(JSON.parse(payload)));
  socket.on("framereceived", ({ payload }) => {
    const { id, status } = JSON.parse(payload);
    if (status === "ok") stored.add(id);
    if (status === "not-ok") report.problems.push(payload);
  });
});

async function storedBySocket(type, about) {
  const is = ({ id, event }) =>
    stored.has(id) && event.type === type && Object.entries(about).every(([name, value]) => event[name] === value);
  for (const end = Date.now() + PATIENCE; !report.sent.some(is); ) {
    if (Date.now() > end) throw new Error(`${type} of ${JSON.stringify(about)} is not stored`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const did = (type, product_id, recommendation_id = "") => report.did.push({ type, product_id, recommendation_id });
const row = (type) => page.locator(`[data-depict=${type}]`);
const cards = (type) => row(type).locator("[data-recommendation-id]");

// Arrive at a page, and look at each of its rows until all of it has been seen.
async function look(types, arrive) {
  const asked = types.map((type) =>
    page.waitForResponse(
      (response) => response.url().includes("/v2/recommend/") && response.request().postDataJSON().type === type,
    ),
  );
  const [answers] = await Promise.all([Promise.all(asked), arrive()]);
  for (const answer of answers) {
    const question = answer.request().postDataJSON();
    const { displays } = await answer.json();
    await cards(question.type).nth(displays.length - 1).waitFor();
    await row(question.type).evaluate((section) => section.scrollIntoView({ block: "center" }));
    report.answers.push({
      endpoint: new URL(answer.url()).pathname.split("/").pop(),
      question,
      displays,
      cards: await cards(question.type).evaluateAll((found) =>
        found.map((card) => ({
          recommendation_id: card.dataset.recommendationId,
          title: card.querySelector(".name").textContent,
          path: new URL(card.querySelector("a").href).pathname,
        })),
      ),
    });
    for (const { product_id, recommendation_id } of displays) {
      await storedBySocket("element_visible", { recommendation_id });
      did("element_visible", product_id, recommendation_id);
    }
  }
}

const shown = (type, position) => report.answers.findLast(({ question }) => question.type === type).displays[position];

async function photograph(name) {
  if (!images) return;
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(200);
  await page.screenshot({ path: `${images}/${name}.png` });
}

try {
  await look(["for_you"], () => page.goto(`${shop}/`));
  await look(["category"], () => page.getByRole("link", { name: "Tea & Coffee" }).click());
  await look(["cross_sell", "similar"], () => page.goto(`${shop}/product/${product}`));
  await storedBySocket("page_view", { product_id: product });
  did("page_view", product);
  await photograph("shop-depict");

  const { product_id, recommendation_id } = shown("cross_sell", 1);
  await look(["cross_sell", "similar"], () => cards("cross_sell").nth(1).locator(".name").click());
  did("click", product_id, recommendation_id); // by a beacon, which outlives the page
  await storedBySocket("page_view", { product_id });
  did("page_view", product_id, recommendation_id); // the address of the page names the card

  await look(["checkout"], () => page.getByRole("button", { name: "Put into the basket" }).click());
  did("add_to_cart", product_id, recommendation_id);
  const more = shown("checkout", 0);
  await look(["checkout"], () => row("checkout").getByRole("button", { name: "Add" }).first().click());
  did("click", more.product_id, more.recommendation_id);
  did("add_to_cart", more.product_id, more.recommendation_id);

  await look(["after_basket"], () => page.getByRole("button", { name: "Place the order" }).click());
  for (const one of [product_id, more.product_id]) did("purchase", one);
  report.shopper = await page.evaluate(() => localStorage.getItem("_dep_id"));
} catch (error) {
  report.problems.push(String(error.stack));
}
report.hosts = [...hosts];
await browser.close();
await new Promise((resolve) => process.stdout.write(JSON.stringify(report), resolve));
