// Product, basket and thanks, with @depict-ai/react-ui: a row in each section that Django leaves empty.
import {
  DepictProvider,
  RecommendationGrid,
  useFetchRecommendations,
  usePerformanceClient,
} from "@depict-ai/react-ui";
import { useEffect, useMemo } from "react";
import { createPortal } from "react-dom";
import { createRoot } from "react-dom/client";
import { COLUMNS, GAP, MARKET, PRODUCT, SHOP, hrefOf, imageOf, priceBefore, priceOf, questionOf, sections } from "./shop.js";

function Card({ display, children }) {
  if (!display) return <div className="card waiting" />;
  return (
    <article className="card">
      <a href={hrefOf(display)}>
        <img src={imageOf(display)} alt="" width="400" height="400" />
        <span className="name">{display.title}</span>
        <span className="price">
          {priceOf(display)} <s>{priceBefore(display)}</s>
        </span>
      </a>
      {children}
    </article>
  );
}

function CardToAdd({ display }) {
  return (
    <Card display={display}>
      <button className="depict-add-to-cart" data-product-id={display?.product_id}>
        Add
      </button>
    </Card>
  );
}

function Row({ section }) {
  const { fetchRecommendations } = useFetchRecommendations();
  const recommendations = useMemo(() => fetchRecommendations(questionOf(section)), [section]);
  return (
    <RecommendationGrid
      recommendations={recommendations}
      productCard={"add" in section.dataset ? CardToAdd : Card}
      columnsAtSize={COLUMNS}
      gridSpacing={GAP}
      title={section.dataset.title}
    />
  );
}

// What the page itself has to tell: that a product was looked at, or what was ordered.
function Told() {
  const { dpc } = usePerformanceClient();
  useEffect(() => {
    if (PRODUCT) dpc.setProductId(PRODUCT);
    const order = document.getElementById("depict-purchase");
    if (!order) return;
    const { transaction_id, currency, products } = JSON.parse(order.textContent);
    const items = products.map(({ sku, price, quantity }) => ({ item_id: sku, price: Number(price), quantity }));
    const value = items.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
    window.dpq("purchase", { transaction_id, currency, value, items });
  }, [dpc]);
  return null;
}

createRoot(document.createElement("div")).render(
  <DepictProvider merchant={SHOP} market={MARKET}>
    <Told />
    {sections().map((section) => createPortal(<Row section={section} />, section, section.dataset.depict))}
  </DepictProvider>,
);
