// Drives the npm package `@segment/analytics-next`, unmodified, in a browser, through every call it has.
//
// The page sets `window.usher`: the server's address, the public ingest token, a prefix for names, and the
// way of delivery. The host that messages go to is what the server's settings say.
// `window.report` says afterwards who must be there; each event as kind, name and, where it was set, time.

import { AnalyticsBrowser } from "@segment/analytics-next";
import { finish, HOUR } from "./report.mjs";

finish(async ({ url, token, prefix, batching }) => {
  const delivery = batching ? { deliveryStrategy: { strategy: "batching", config: { size: 4, timeout: 500 } } } : {};
  const [analytics] = await AnalyticsBrowser.load(
    { writeKey: token, cdnURL: url },
    { integrations: { "Segment.io": delivery } },
  );
  const ann = `${prefix}-ann@example.com`;
  const ordered = new Date(Date.now() - HOUR);
  const traits = { email: ann, firstName: "Ann", plan: "team", seats: 3, beta: true, address: { city: "Zürich" } };

  await analytics.page("Docs", "Pricing");
  await analytics.track("Button Clicked", { label: "Try it", nested: { list: [1, "two", null, true] } });
  const visitor = analytics.user().anonymousId();
  await analytics.identify(ann, traits);
  await analytics.track("Order Completed", { total: 19.9 }, { timestamp: ordered });
  await analytics.page();
  await analytics.screen("Shop", "Basket", { items: 2 });
  await analytics.group(`${prefix}-company`, { name: "Example & Co.", employees: 12 });
  // It sends the current user as `userId` and as `previousId`, and not the new name at all.
  await analytics.alias(`${prefix}-nobody`);
  await analytics.reset();
  await analytics.track("Passed By");

  return {
    messages: 9,
    users: [
      {
        identifier: ann,
        traits,
        anonymousIds: [visitor],
        events: [
          ["page", "Pricing"],
          ["event", "Button Clicked"],
          ["event", "Order Completed", ordered.getTime()],
          ["page", ""],
          ["screen", "Basket"],
        ],
      },
    ],
    anonymous: [{ anonymousId: analytics.user().anonymousId(), events: [["event", "Passed By"]] }],
    absent: [`${prefix}-nobody`, `${prefix}-company`],
  };
});
