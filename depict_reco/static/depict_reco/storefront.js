/* Recommendations and events for shops without Depict's client. docs/storefront.md says how.

     <script defer src=".../depict_reco/storefront.js" data-tenant="acme" data-market="se"></script>
*/
(() => {
  "use strict";

  const { tenant, market, locale, userId, consent: rule, api: base = "" } = document.currentScript.dataset;
  const api = base.replace(/\/+$/, "");
  const EVENTS = "/create-events";
  const ORDERS = "/v2/create-events";
  const CARD = "[data-recommendation-id], [data-recommendation_id]"; // shops have both spellings
  const PATIENCE = 5_000;

  const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
  const say = (name, detail, target = document) =>
    target.dispatchEvent(new CustomEvent(`depict:${name}`, { detail, bubbles: true, cancelable: true }));

  // --- consent, and what the browser keeps ------------------------------------------------------

  const SHOPPER = "_dep_id"; // the names of Depict's client, so that a shop can change between both
  const UNSENT = "_dep_unsent_";
  const UNSENT_HOURS = 48;
  let allowed = rule !== "required";
  let refused = false;
  let said = allowed ? undefined : "denied"; // for shops whose server wants to be told
  const held = []; // what happened before the shopper was asked
  let shopper;

  const storage = {
    // blocked or full storage is no reason for a page to fail
    try(act) { try { return act(localStorage); } catch { return null; } },
    get(name) { return this.try((kept) => kept.getItem(name)); },
    set(name, value) { this.try((kept) => kept.setItem(name, value)); },
    delete(name) { this.try((kept) => kept.removeItem(name)); },
    names(prefix) { return (this.try((kept) => Object.keys(kept)) ?? []).filter((name) => name.startsWith(prefix)); },
  };

  function setCookie(value, seconds) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${SHOPPER}=${value}; path=/; max-age=${seconds}; SameSite=Lax${secure}`;
  }

  function shopperId() {
    if (!allowed) return undefined;
    if (!shopper) {
      const cookie = document.cookie.match(/(?:^|; )_dep_id=([^;]+)/)?.[1];
      shopper = storage.get(SHOPPER) || cookie || random();
      storage.set(SHOPPER, shopper);
      setCookie(shopper, 400 * 86_400); // for pages that Django renders; no browser keeps it longer
    }
    return shopper;
  }

  function consent(given) {
    allowed = Boolean(given);
    refused = !allowed;
    said = allowed ? "granted" : "denied";
    const acts = held.splice(0);
    if (allowed) {
      acts.forEach((act) => act());
      resend();
    } else {
      shopper = undefined;
      unsent.clear();
      for (const name of [SHOPPER, ...storage.names(UNSENT)]) storage.delete(name);
      setCookie("", 0);
    }
  }

  const address = (path) => api + path + (said ? `?consent=${said}` : "");
  const once = (act) => (allowed ? act() : refused || held.push(act));

  // --- events, kept until the server has confirmed them -------------------------------------------

  const unsent = new Map(); // name in storage → { path, body, at, busy }
  let timer;
  let pause = 1_000;

  function put(path, body, leaving) {
    const name = UNSENT + random();
    const letter = { path, body, at: Date.now() };
    unsent.set(name, letter);
    storage.set(name, JSON.stringify(letter));
    if (leaving) beacon();
    else schedule(100); // what happens together is sent together
  }

  function resend() {
    for (const name of storage.names(UNSENT)) {
      if (unsent.has(name)) continue;
      try {
        const letter = JSON.parse(storage.get(name));
        if (Date.now() - letter.at > UNSENT_HOURS * 3_600_000) throw new Error("too old");
        unsent.set(name, letter);
      } catch {
        storage.delete(name);
      }
    }
    if (unsent.size) schedule(500);
  }

  function schedule(wait) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      idle(EVENTS, 50).forEach(deliver);
      idle(ORDERS, 1).forEach(deliver);
    }, wait);
  }

  function idle(path, most) {
    const names = [...unsent].filter(([, one]) => one.path === path && !one.busy).map(([name]) => name);
    return Array.from({ length: Math.ceil(names.length / most) }, (_, at) => names.slice(at * most, (at + 1) * most));
  }

  function letterOf(names) {
    const letters = names.map((name) => unsent.get(name));
    const [{ path, body }] = letters;
    return [address(path), JSON.stringify(path === EVENTS ? letters.flatMap((one) => one.body) : body)];
  }

  async function deliver(names) {
    names = names.filter((name) => unsent.has(name));
    if (!names.length) return;
    const [url, body] = letterOf(names);
    mark(names, true);
    // a string goes as text/plain, for which a browser need not ask the server first
    const response = await fetch(url, { method: "POST", body, keepalive: true, credentials: "omit" }).catch(() => null);
    const status = response?.status ?? 0;
    mark(names, false);
    if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) {
      if (names.length > 1) return names.forEach((name) => deliver([name])); // one may be at fault
      console.warn(`depict_reco: ${url} refused an event (${status})`, body, await response.text());
    } else if (status !== 200) {
      pause = Math.min(pause * 2, 300_000);
      return schedule(pause * (0.5 + Math.random() / 2));
    }
    pause = 1_000;
    for (const name of names) {
      unsent.delete(name);
      storage.delete(name);
    }
  }

  function mark(names, busy) {
    for (const name of names) if (unsent.has(name)) unsent.get(name).busy = busy;
  }

  // A beacon outlives the page, but nobody learns what became of it: what it carries is sent again,
  // from here or from the next page, and known to the server by its deduplication_id.
  function beacon() {
    for (const names of [...idle(EVENTS, 50), ...idle(ORDERS, 1)]) {
      if (!navigator.sendBeacon(...letterOf(names))) continue;
      mark(names, true);
      setTimeout(() => { mark(names, false); schedule(0); }, PATIENCE);
    }
  }

  function event(type, fields, leaving = false) {
    const said = {
      type,
      deduplication_id: random(),
      url: location.href,
      document_referrer: document.referrer,
      document_width: String(innerWidth),
      ...fields,
    };
    once(() => {
      const body = { tenant, market, session_id: shopperId(), user_id: userId, ...said };
      put(EVENTS, [body], leaving);
      say("event", body);
    });
  }

  const text = (value) => (value == null || value === "" ? undefined : String(value));
  const pageView = (productId) => event("page_view", { product_id: text(productId) });

  function addToCart(productId, { recommendationId, price, currency } = {}) {
    const shown = { recommendation_id: text(recommendationId), entity_price: text(price), currency };
    event("add_to_cart", { product_id: text(productId), ...shown });
  }

  // Takes an order in the words of the wire, or of GA4 (items with item_id).
  function purchase({ transaction_id, currency, products, items = [] }) {
    const lines = products ?? items.map(({ item_id, price, quantity = 1 }) => ({ sku: item_id, price, quantity }));
    const order = {
      event_type: "purchase",
      transaction_id: String(transaction_id),
      currency,
      products: lines.map(({ sku, price, quantity }) => ({ sku: String(sku), price, quantity: Number(quantity) })),
    };
    once(() => {
      const body = { ...order, session_id: shopperId(), user_id: userId };
      put(ORDERS, { tenant, market, events: [body] });
      say("event", { type: "purchase", ...body });
    });
  }

  // --- cards: seen, clicked, put into the basket --------------------------------------------------

  const idOf = (card) => card.dataset.recommendationId ?? card.getAttribute("data-recommendation_id");
  const seen = new Set();
  const looks = new WeakMap();
  const sight = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio } of entries) {
      clearTimeout(looks.get(target));
      if (intersectionRatio >= 0.6) looks.set(target, setTimeout(() => see(target), 500));
    }
  }, { threshold: 0.6 });

  function see(card) {
    const recommendation_id = idOf(card);
    sight.unobserve(card);
    if (document.hidden) return sight.observe(card);
    if (!recommendation_id || seen.has(recommendation_id)) return;
    seen.add(recommendation_id);
    event("element_visible", { recommendation_id });
  }

  const filled = new WeakSet();

  function watch(root) {
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    const all = (selector) => [root, ...root.querySelectorAll(selector)].filter((one) => one.matches(selector));
    all(CARD).forEach((card) => sight.observe(card));
    for (const section of all("[data-recommendations]")) {
      if (!filled.has(section)) fillSection(section);
      filled.add(section);
    }
  }

  function onClick({ target, type, button }) {
    if (!target.closest || (type === "auxclick" && button !== 1)) return;
    const card = target.closest(CARD);
    const add = target.closest(".depict-add-to-cart");
    const recommendationId = card ? idOf(card) : undefined;
    if (add) addToCart(add.dataset.productId, { recommendationId });
    else if (recommendationId) event("click", { recommendation_id: recommendationId }, true);
  }

  // --- recommendations ----------------------------------------------------------------------------

  // recommend({ type, product_id | product_ids | category_id, limit }) → displays; [] if that fails
  async function recommend(question) {
    const kinds = { category_id: "category", product_id: "product", product_ids: "products" };
    const kind = kinds[Object.keys(kinds).find((name) => question[name] != null)] ?? "general";
    const body = { tenant, market, locale, session_id: shopperId(), user_id: allowed ? userId : undefined, ...question };
    try {
      const response = await fetch(address(`/v2/recommend/products/${kind}`), {
        method: "POST",
        body: JSON.stringify(body),
        credentials: "omit",
        signal: AbortSignal.timeout?.(PATIENCE),
      });
      const { displays, error, detail } = await response.json();
      if (error || !displays) console.warn("depict_reco:", error ?? detail, body);
      return displays ?? [];
    } catch (error) {
      console.warn("depict_reco:", error, body);
      return [];
    }
  }

  const listOf = (ids) => (ids.startsWith("[") ? JSON.parse(ids) : ids.split(",").filter(Boolean)).map(String);

  // Fill <section data-recommendations="similar" data-product-id="1" hidden><template>…</template>
  async function fillSection(section) {
    const { recommendations: type, productId, productIds, categoryId, limit } = section.dataset;
    const template = section.querySelector("template");
    const question = { type, limit: limit ? Number(limit) : undefined };
    if (categoryId) question.category_id = categoryId;
    else if (productId) question.product_id = productId;
    else if (productIds != null) question.product_ids = listOf(productIds);
    const displays = await recommend(question);
    if (!say("recommendations", { question, displays }, section) || !template || !displays.length) return;
    template.before(...displays.map((display) => cardOf(template, display)));
    section.hidden = false;
  }

  function cardOf(template, display) {
    const card = template.content.firstElementChild.cloneNode(true);
    for (const element of [card, ...card.querySelectorAll("*")]) {
      const { text: field, price } = element.dataset;
      if (field) element.textContent = display[field] ?? "";
      if (price === "original_price" && display.original_price === display.sale_price) element.remove();
      else if (price) element.textContent = money(display[price], display.currency);
      for (const { name, value } of [...element.attributes]) {
        const [, attribute] = name.match(/^data-set-(href|src|alt|title|value|aria-label|data-[\w-]+)$/) ?? [];
        if (attribute) element.setAttribute(attribute, safe(attribute, display[value] ?? ""));
      }
    }
    card.dataset.recommendationId = display.recommendation_id;
    return card;
  }

  function safe(attribute, value) {
    if (!["href", "src"].includes(attribute)) return value;
    try {
      return ["http:", "https:"].includes(new URL(value, location.href).protocol) ? value : "";
    } catch {
      return "";
    }
  }

  function money(amount, currency) {
    if (amount == null) return "";
    try {
      const language = locale || document.documentElement.lang || undefined;
      return new Intl.NumberFormat(language, { style: "currency", currency }).format(amount);
    } catch {
      return `${amount} ${currency ?? ""}`;
    }
  }

  // --- the page -----------------------------------------------------------------------------------

  function start() {
    if (allowed) {
      shopperId();
      resend();
    }
    const product = document.querySelector('meta[name="depict-product-id"]')?.content;
    if (product) pageView(product);
    const order = document.getElementById("depict-purchase");
    if (order) purchase(JSON.parse(order.textContent));
    watch(document.body); // and what comes later
    new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach(watch)))
      .observe(document.body, { childList: true, subtree: true });
    for (const kind of ["click", "auxclick"]) document.addEventListener(kind, onClick, true);
    addEventListener("pagehide", beacon);
    addEventListener("online", () => schedule(0));
    document.addEventListener("visibilitychange", () => { if (document.hidden) beacon(); });
  }

  window.depictReco = { consent, shopperId, pageView, addToCart, purchase, recommend };
  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
