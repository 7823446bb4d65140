// The script for shops without Depict's client, in Chromium, against a server that writes down what
// it is told: CHROMIUM=/usr/bin/chromium node --test storefront.test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { chromium } from "playwright-core";

const SCRIPT = readFileSync(new URL("../../../depict_reco/static/depict_reco/storefront.js", import.meta.url));
const CSP = "default-src 'self'; img-src 'self' data:; style-src 'unsafe-inline'; connect-src 'self' http://127.0.0.1:*; require-trusted-types-for 'script'";
const PATIENCE = 15_000;

const DISPLAY = {
  product_id: "1", title: "<b>Cup</b>", price: "4.50", sale_price: 4.5, original_price: 4.5, currency: "EUR",
  image_url: "/cup.svg", page_url: "/product/1?recommendation_id=r1", recommendation_id: "r1", brand: "Tea & Co",
};
const CARD = `<template><article><a data-set-href="page_url"><img data-set-src="image_url" data-set-alt="brand">
  <span data-text="title"></span></a><em data-price="sale_price"></em><s data-price="original_price"></s>
  <button class="depict-add-to-cart" data-set-data-product-id="product_id">Add</button></article></template>`;

let browser, server, origin, context, page;
let pages, told, asked, preflights, answers, displays;

// What the server would store: what a beacon has told may come again, under the same id.
const events = (type) => {
  const found = told.flatMap(({ body }) => body.events ?? body).filter((event) => !type || (event.type ?? event.event_type) === type);
  return [...new Map(found.map((event) => [event.deduplication_id ?? event.transaction_id, event])).values()];
};
const html = (body, attributes = "", head = "") =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">${head}
   <script src="/storefront.js" defer data-tenant="acme" data-market="se" ${attributes}></script><body>${body}</body></html>`;

function respond(request, response) {
  const { pathname: path, search } = new URL(request.url, origin);
  let text = "";
  request.on("data", (part) => { text += part; });
  request.on("end", () => {
    const headers = { "Content-Security-Policy": CSP, "Access-Control-Allow-Origin": origin };
    const send = (status, type, body) => response.writeHead(status, { ...headers, "Content-Type": type }).end(body);
    if (request.method === "OPTIONS") preflights.push(path);
    if (path.endsWith("/create-events")) {
      const answer = answers.shift() ?? 200;
      const status = typeof answer === "function" ? answer(JSON.parse(text)) : answer;
      if (status === 0) return request.socket.destroy();
      if (status === 200) told.push({ path, search, type: request.headers["content-type"], body: JSON.parse(text) });
      return send(status, "application/json", "{}");
    }
    if (path.startsWith("/v2/recommend/")) {
      asked.push({ path, search, type: request.headers["content-type"], body: JSON.parse(text) });
      return displays === null ? request.socket.destroy() : send(200, "application/json", JSON.stringify(displays));
    }
    if (path === "/storefront.js") return send(200, "text/javascript", SCRIPT);
    return send(path in pages ? 200 : 404, "text/html", pages[path] ?? "");
  });
}

async function until(condition, what) {
  for (const end = Date.now() + PATIENCE; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`${what} does not happen: ${JSON.stringify({ told, asked })}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const arrived = (type, count = 1) => until(() => events(type).length >= count, `${count} × ${type}`);
const unsent = () => page.evaluate(() => Object.keys(localStorage).filter((name) => name.startsWith("_dep_unsent_")).length);
const allConfirmed = () => until(async () => (await unsent()) === 0, "every event is confirmed");
const kept = () => page.evaluate(() => [localStorage.getItem("_dep_id"), document.cookie]);

before(async () => {
  server = createServer(respond).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  origin = `http://localhost:${server.address().port}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
  });
});
after(async () => {
  await browser.close();
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  await context?.close();
  [told, asked, preflights, answers, displays] = [[], [], [], [], { displays: [DISPLAY] }];
  pages = { "/": html("") };
  context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => { throw error; });
});

test("a product's page is told once, by whom, and as the contract has it", async () => {
  pages["/p"] = html("", 'data-user-id="u7"', '<meta name="depict-product-id" content="22423">');
  await page.goto(`${origin}/p?recommendation_id=r0`, { referer: `${origin}/from` });
  await arrived("page_view");
  await allConfirmed();
  const [id] = await kept();
  assert.deepEqual(told.map(({ path, search, type }) => [path, search, type]), [["/create-events", "", "text/plain;charset=UTF-8"]]);
  const [{ deduplication_id, ...event }] = told[0].body;
  assert.ok(deduplication_id.length > 20);
  assert.deepEqual(event, {
    tenant: "acme", market: "se", type: "page_view", session_id: id, user_id: "u7", product_id: "22423",
    url: `${origin}/p?recommendation_id=r0`, document_referrer: `${origin}/from`, document_width: "800",
  });
});

test("the shopper's id is the one that Depict's client left, in storage before the cookie", async () => {
  await page.goto(`${origin}/`);
  const [fresh, cookie] = await kept();
  assert.ok(fresh.length > 10);
  assert.equal(cookie, `_dep_id=${fresh}`);
  await page.evaluate(() => { localStorage.setItem("_dep_id", "0.stored"); });
  await page.reload();
  assert.deepEqual(await kept(), ["0.stored", "_dep_id=0.stored"]);
  await page.evaluate(() => { localStorage.clear(); document.cookie = "_dep_id=0.cookie; path=/"; });
  await page.reload();
  assert.deepEqual(await kept(), ["0.cookie", "_dep_id=0.cookie"]);
});

test("nothing is stored or told before consent; then what was held back; nothing after a refusal", async () => {
  pages["/p"] = html(`<section data-recommendations="popular" hidden>${CARD}</section>`, 'data-consent="required" data-user-id="u7"', '<meta name="depict-product-id" content="1">');
  await page.goto(`${origin}/p`);
  await page.locator("article").waitFor();
  await page.evaluate(() => depictReco.addToCart("1"));
  await page.waitForTimeout(700);
  assert.deepEqual([await kept(), told], [[null, ""], []]);
  assert.deepEqual(asked[0].body, { tenant: "acme", market: "se", type: "popular" });
  assert.equal(asked[0].search, "?consent=denied");
  await page.evaluate(() => depictReco.consent(true));
  await arrived("page_view");
  await arrived("add_to_cart");
  await arrived("element_visible");
  await allConfirmed();
  assert.deepEqual(new Set(told.map(({ search }) => search)), new Set(["?consent=granted"]));
  await page.evaluate(() => depictReco.consent(false));
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
  const soFar = told.length;
  await page.evaluate(() => { depictReco.pageView("2"); depictReco.addToCart("2"); });
  await page.waitForTimeout(500);
  assert.deepEqual([told.length, (await kept())[1]], [soFar, ""]);
  await page.evaluate(() => depictReco.consent(true));
  await page.evaluate(() => depictReco.pageView("3"));
  await until(() => events("page_view").length === 2, "a second page view");
  assert.deepEqual(events("page_view").map((event) => event.product_id), ["1", "3"]);
});

test("what could not be sent is sent again, by the next page if need be, under the same id", async () => {
  pages["/p"] = html("", "", '<meta name="depict-product-id" content="1">');
  const tried = [];
  const note = (status) => (body) => { tried.push(body[0].deduplication_id); return status; };
  answers = [note(503), note(0), note(200)];
  await page.goto(`${origin}/p`);
  await arrived("page_view");
  await allConfirmed();
  assert.equal(tried.length, 3);
  assert.equal(new Set(tried).size, 1);
  tried.length = told.length = 0;
  answers = Array(50).fill(note(503));
  await page.goto(`${origin}/p`);
  await until(() => tried.length > 0, "an attempt");
  pages["/plain"] = "<!doctype html><title>no script here</title>";
  await page.goto(`${origin}/plain`);
  await page.waitForTimeout(300); // for what the page said when it was left
  answers = [];
  await page.goto(`${origin}/`);
  await arrived("page_view");
  await allConfirmed();
  assert.deepEqual(new Set(events("page_view").map((event) => event.deduplication_id)), new Set(tried));
});

test("an event that the server refuses does not take others along, and is not sent for ever", async () => {
  await page.goto(`${origin}/`);
  const refuse = (body) => (body.some((event) => event.product_id === "bad") ? 422 : 200);
  answers = Array(20).fill(refuse);
  await page.evaluate(() => ["1", "bad", "2"].forEach((id) => depictReco.pageView(id)));
  await allConfirmed();
  assert.deepEqual(events("page_view").map((event) => event.product_id).sort(), ["1", "2"]);
});

test("a card is seen once, when most of it was in sight for a while", async () => {
  const card = (id, top) => `<p data-recommendation-id="${id}" style="height:100px;margin-top:${top}px">${id}</p>`;
  pages["/"] = html(`${card("near", 0)}${card("far", 1500)}<div id="late"></div>${card("end", 900)}`);
  await page.goto(`${origin}/`);
  await arrived("element_visible");
  await page.waitForTimeout(800);
  assert.deepEqual(events("element_visible").map((event) => event.recommendation_id), ["near"]);
  const glance = await page.evaluate(async () => {
    const show = (id) => document.querySelector(`[data-recommendation-id=${id}]`).scrollIntoView();
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const start = performance.now();
    show("end");
    for (let count = 0; count < 5; count += 1) await frame();
    show("far");
    await frame();
    await frame();
    return performance.now() - start;
  });
  await page.evaluate(() => {
    const late = document.createElement("p");
    late.setAttribute("data-recommendation_id", "late");
    late.textContent = "late";
    document.querySelector("[data-recommendation-id=far]").after(late);
  });
  await until(() => ["far", "late"].every((id) => events().some((event) => event.recommendation_id === id)), "both are seen");
  await page.evaluate(() => {
    scrollTo(0, 0);
    const near = document.querySelector("[data-recommendation-id=near]");
    near.after(near.cloneNode(true)); // the same display, drawn anew
  });
  await page.waitForTimeout(900);
  await allConfirmed();
  const seen = events("element_visible").map((event) => event.recommendation_id).sort();
  if (glance < 450) assert.deepEqual(seen, ["far", "late", "near"]);
  else assert.deepEqual(seen.filter((id) => id !== "end"), ["far", "late", "near"]); // a slow machine looked too long
});

test("a click outlives the page that it leaves; a button in a card is no click on it", async () => {
  const card = '<div data-recommendation-id="r9"><a href="/next">Cup</a><button class="depict-add-to-cart">Add</button></div>';
  pages["/"] = html(`${card}<button id="own" class="depict-add-to-cart" data-product-id="5">Buy</button><a id="plain" href="#x">x</a>`);
  pages["/next"] = "<!doctype html><title>no script here</title>";
  await page.goto(`${origin}/`);
  await page.locator("#plain").click();
  await page.locator("div button").click();
  await page.locator("#own").click();
  await arrived("add_to_cart", 2);
  await page.locator("div a").click();
  await page.waitForURL("**/next");
  await arrived("click");
  assert.deepEqual(events("add_to_cart").map((event) => event.product_id ?? event.recommendation_id), ["r9", "5"]);
  assert.deepEqual(events("click").map((event) => event.recommendation_id), ["r9"]);
});

test("an order is told in the words of the wire, from the page or by a call in GA4's", async () => {
  const order = { transaction_id: 12, currency: "SEK", products: [{ sku: "a", price: "9.50", quantity: 2 }] };
  pages["/"] = html("", "", `<script type="application/json" id="depict-purchase">${JSON.stringify(order)}</script>`);
  await page.goto(`${origin}/`);
  await arrived("purchase");
  await page.evaluate(() => depictReco.purchase({ transaction_id: "13", currency: "SEK", items: [{ item_id: 7, price: 3 }] }));
  await arrived("purchase", 2);
  const [session_id] = await kept();
  assert.deepEqual(told.map(({ path, body }) => [path, body.tenant, body.market]), Array(2).fill(["/v2/create-events", "acme", "se"]));
  assert.deepEqual(events("purchase"), [
    { event_type: "purchase", session_id, transaction_id: "12", currency: "SEK", products: [{ sku: "a", price: "9.50", quantity: 2 }] },
    { event_type: "purchase", session_id, transaction_id: "13", currency: "SEK", products: [{ sku: "7", price: 3, quantity: 1 }] },
  ]);
});

test("a section is filled from its template, with text as text and no script in addresses", async () => {
  displays = { displays: [DISPLAY, { ...DISPLAY, recommendation_id: "r2", original_price: 6, page_url: "javascript:alert(1)", image_url: null }] };
  const section = (attributes) => `<section data-recommendations="t" ${attributes} hidden>${CARD}</section>`;
  pages["/"] = html(
    section('data-product-id="a,b" data-limit="4"') + section('data-product-ids="a,b"') + section("data-product-ids='[\"c,d\"]'") + section('data-category-id="tea"') + section(""),
    'data-locale="de-DE"',
  );
  await page.goto(`${origin}/`);
  await page.locator("article").nth(9).waitFor();
  const [session_id] = await kept();
  const common = { tenant: "acme", market: "se", locale: "de-DE", session_id, type: "t" };
  assert.deepEqual(asked.map(({ type }) => type), Array(5).fill("text/plain;charset=UTF-8"));
  assert.deepEqual(Object.fromEntries(asked.map(({ path, body }) => [path + (body.product_ids?.[0] ?? ""), body])), {
    "/v2/recommend/products/product": { ...common, product_id: "a,b", limit: 4 },
    "/v2/recommend/products/productsa": { ...common, product_ids: ["a", "b"] },
    "/v2/recommend/products/productsc,d": { ...common, product_ids: ["c,d"] },
    "/v2/recommend/products/category": { ...common, category_id: "tea" },
    "/v2/recommend/products/general": common,
  });
  const cards = await page.locator("section").first().locator("article").evaluateAll((found) => found.map((card) => [
    card.dataset.recommendationId, card.querySelector("a").getAttribute("href"), card.querySelector("img").getAttribute("src"),
    card.querySelector("img").alt, card.querySelector("span").textContent, card.querySelector("em").textContent.replace("\u00a0", " "),
    card.querySelector("s")?.textContent.replace("\u00a0", " "), card.querySelector("button").dataset.productId,
  ]));
  assert.deepEqual(cards, [
    ["r1", "/product/1?recommendation_id=r1", "/cup.svg", "Tea & Co", "<b>Cup</b>", "4,50 €", undefined, "1"],
    ["r2", "", "", "Tea & Co", "<b>Cup</b>", "4,50 €", "6,00 €", "1"],
  ]);
});

test("the server may be another host, which no browser has to ask first; sections may come late", async () => {
  const api = origin.replace("localhost", "127.0.0.1");
  pages["/"] = html("", `data-api="${api}/"`, '<meta name="depict-product-id" content="1">');
  await page.goto(`${origin}/`);
  await page.evaluate(() => {
    const section = document.createElement("section");
    section.dataset.recommendations = "late";
    const template = document.createElement("template");
    const article = document.createElement("article");
    const link = document.createElement("a");
    link.href = "#next";
    link.textContent = "Cup";
    article.append(link);
    template.content.append(article);
    section.append(template);
    document.body.append(section);
    document.body.append(section); // moved, not new
  });
  await page.locator("article a").click();
  await arrived("click");
  await arrived("page_view");
  await allConfirmed();
  assert.deepEqual(asked.map(({ body }) => body.type), ["late"]);
  assert.deepEqual(preflights, []);
});

test("a shop may change displays or draw them itself, and a failure leaves the section hidden", async () => {
  pages["/"] = html(`<section data-recommendations="t" hidden>${CARD}</section>`);
  await context.addInitScript(() => {
    document.addEventListener("depict:recommendations", (event) => {
      if (location.hash === "#own") event.preventDefault();
      else event.detail.displays.forEach((display) => { display.title = "Changed"; });
    });
  });
  await page.goto(`${origin}/`);
  assert.equal(await page.locator("article span").textContent(), "Changed");
  await page.goto(`${origin}/?again#own`);
  await until(() => asked.length === 2, "a second question");
  for (const answer of [null, { displays: [], error: "not yet configured" }, { detail: "An API key is needed." }]) {
    displays = answer;
    await page.goto(`${origin}/?${JSON.stringify(answer)}`);
    assert.deepEqual(await page.evaluate(() => depictReco.recommend({ type: "t" })), []);
    assert.equal(await page.locator("section").isHidden(), true);
  }
});

test("a page works where the browser keeps nothing", async () => {
  await context.addInitScript(() => {
    Object.defineProperty(window, "localStorage", { get() { throw new DOMException("blocked", "SecurityError"); } });
    Object.defineProperty(document, "cookie", { get: () => "", set: () => {} });
  });
  pages["/"] = html("", "", '<meta name="depict-product-id" content="1">');
  await page.goto(`${origin}/`);
  await page.evaluate(() => depictReco.addToCart("1"));
  await arrived("page_view");
  await arrived("add_to_cart");
  assert.equal(new Set(events().map((event) => event.session_id)).size, 1);
});
