// Drives the npm package `@customerio/cdp-analytics-browser`, unmodified, in a browser, through every call
// it has. See segment.mjs for what the page sets and what the report is.

import { AnalyticsBrowser } from "@customerio/cdp-analytics-browser";
import { finish, HOUR } from "./report.mjs";

finish(async ({ url, token, prefix }) => {
  const [analytics] = await AnalyticsBrowser.load({ writeKey: token, cdnURL: url });
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
