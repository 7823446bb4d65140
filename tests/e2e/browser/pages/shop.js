// What both kinds of page know of the shop.
export const SHOP = "acme";
export const MARKET = "se";
export const LIMIT = 4;

export const basket = () => JSON.parse(localStorage.getItem("basket") ?? "[]");

export const putInBasket = (productId) =>
  localStorage.setItem("basket", JSON.stringify([...basket(), productId]));

export const priceOf = ({ sale_price: price, currency }) =>
  new Intl.NumberFormat("en", { style: "currency", currency }).format(price);
