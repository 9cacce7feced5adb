interface OrderEvent {
  items?: { name: string; price: number; count: number }[];
}

interface Total {
  lines: number;
  total: number;
}

/** Types are removed when the function is loaded; enums, namespaces and decorators are refused. */
export default async function handle(event: OrderEvent): Promise<Total> {
  const items = event?.items ?? [];
  const total = items.reduce((sum, item) => sum + item.price * item.count, 0);
  return { lines: items.length, total };
}
