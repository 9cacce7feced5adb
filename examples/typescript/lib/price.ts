/** An amount of money in the smallest unit of its currency. */
export interface Price {
  cents: number;
  currency: string;
}

/** Adds prices of one currency. Throws when they have several. */
export function sum(prices: readonly Price[]): Price {
  const [first] = prices;
  if (first === undefined) throw new TypeError("there is nothing to add");
  const cents = prices.reduce((total: number, price: Price): number => {
    if (price.currency !== first.currency) throw new TypeError("prices have several currencies");
    return total + price.cents;
  }, 0);
  return { cents, currency: first.currency };
}
