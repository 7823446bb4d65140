// Front page, product page and basket, with @depict-ai/react-ui.
import {
  DepictProvider,
  ImagePlaceholder,
  RecommendationGrid,
  RecommendationSlider,
  useFetchRecommendations,
  usePerformanceClient,
} from "@depict-ai/react-ui";
import { useEffect, useMemo } from "react";
import { createRoot } from "react-dom/client";
import { LIMIT, MARKET, SHOP, basket, priceOf, putInBasket } from "./shop.js";

function Card({ display }) {
  if (!display) return <ImagePlaceholder aspectRatio={1} />;
  const stay = (event) => {
    event.preventDefault(); // the card is a link
    putInBasket(display.product_id);
  };
  return (
    <a className="card" href={display.page_url} data-product={display.product_id}>
      <img src={display.image_url} alt="" />
      <span className="title">{display.title}</span>
      <span className="price">{priceOf(display)}</span>
      <button className="depict-add-to-cart" onClick={stay}>
        Add to basket
      </button>
    </a>
  );
}

function Placement({ as: Listing, type, title, ...about }) {
  const { fetchRecommendations } = useFetchRecommendations();
  const recommendations = useMemo(
    () => fetchRecommendations({ type, limit: LIMIT, ...about }),
    [type],
  );
  return (
    <section className="placement" data-type={type}>
      <Listing
        recommendations={recommendations}
        productCard={Card}
        columnsAtSize={[[LIMIT]]}
        gridSpacing="16px"
        title={title}
      />
    </section>
  );
}

function Front() {
  return <Placement as={RecommendationGrid} type="for_you" title="For you" />;
}

function Product({ productId }) {
  const { dpc } = usePerformanceClient();
  useEffect(() => dpc.setProductId(productId), [dpc, productId]);
  return (
    <>
      <div className="product">
        <img src={`/tiles/${productId}.svg`} alt="" />
        <div>
          <h1>{productId.replaceAll("-", " ")}</h1>
          <button className="depict-add-to-cart" onClick={() => putInBasket(productId)}>
            Add to basket
          </button>
        </div>
      </div>
      <Placement as={RecommendationSlider} type="cross_sell" title="Goes with it" productId={productId} />
      <Placement as={RecommendationSlider} type="similar" title="Similar" productId={productId} />
    </>
  );
}

function Basket() {
  const lines = basket();
  const order = () =>
    window.dpq("purchase", {
      transaction_id: "order-1",
      currency: "SEK",
      value: 100 * lines.length,
      items: lines.map((id) => ({ item_id: `sku-${id}`, price: 100, quantity: 2 })),
    });
  return (
    <>
      <h1>Basket</h1>
      <ul>
        {lines.map((id) => (
          <li key={id}>{id.replaceAll("-", " ")}</li>
        ))}
      </ul>
      <button className="order" onClick={order}>
        Order
      </button>
      <Placement as={RecommendationGrid} type="checkout" title="Before you go" productIds={lines} />
    </>
  );
}

function page(path) {
  if (path.startsWith("/products/")) return <Product productId={decodeURIComponent(path.slice(10))} />;
  return path === "/basket" ? <Basket /> : <Front />;
}

createRoot(document.querySelector("main")).render(
  <DepictProvider merchant={SHOP} market={MARKET}>
    {page(location.pathname)}
  </DepictProvider>,
);
