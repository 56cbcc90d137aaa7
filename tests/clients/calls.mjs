// The six calls, as the server clients for Node.js have them: each takes one object, and a function that is
// told how it went. `window` and page are not known to them, so that a visitor is named by hand.

import { HOUR } from "./report.mjs";

/** Makes every call, once each has been delivered; the report of who must be there. */
export async function calls(client, flush, prefix) {
  const [ann, bob] = [`${prefix}-ann@example.com`, `${prefix}-bob`];
  const [first, second, passer] = ["first", "second", "passer-by"].map((name) => `${prefix}-visitor-${name}`);
  const ordered = new Date(Date.now() - HOUR);
  const traits = { email: ann, firstName: "Ann", plan: "team", seats: 3, beta: true, address: { city: "Zürich" } };
  const at = { timestamp: ordered, originalTimestamp: ordered };
  const made = [
    ["page", { anonymousId: first, category: "Docs", name: "Pricing", properties: { url: "https://shop.example.com/pricing" } }],
    ["track", { anonymousId: first, event: "Button Clicked", properties: { label: "Try it", nested: { list: [1, "two", null, true] } } }],
    ["identify", { userId: ann, anonymousId: first, traits }],
    ["track", { userId: ann, event: "Order Completed", properties: { total: 19.9 }, ...at }],
    ["page", { userId: ann, name: "Orders" }],
    ["screen", { userId: ann, category: "Shop", name: "Basket", properties: { items: 2 } }],
    ["group", { userId: ann, groupId: `${prefix}-company`, traits: { name: "Example & Co.", employees: 12 } }],
    ["track", { anonymousId: second, event: "Trial Started" }],
    ["alias", { userId: bob, previousId: second }],
    ["page", { anonymousId: passer, name: "Home" }],
  ];
  const delivered = made.map(
    ([call, message]) =>
      new Promise((resolve, reject) => client[call](message, (error) => (error ? reject(error) : resolve()))),
  );
  await flush();
  await Promise.all(delivered);
  return {
    messages: made.length,
    users: [
      {
        identifier: ann,
        traits,
        anonymousIds: [first],
        events: [
          ["page", "Pricing"],
          ["event", "Button Clicked"],
          ["event", "Order Completed", ordered.getTime()],
          ["page", "Orders"],
          ["screen", "Basket"],
        ],
      },
      { identifier: bob, traits: {}, anonymousIds: [second], events: [["event", "Trial Started"]] },
    ],
    anonymous: [{ anonymousId: passer, events: [["page", "Home"]] }],
    absent: [`${prefix}-company`],
  };
}
