// The calls that both of RudderStack's browser clients have. Neither has `screen`.

import { HOUR } from "./report.mjs";

export function calls(analytics, prefix) {
  const [ann, bob] = [`${prefix}-ann@example.com`, `${prefix}-bob`];
  const ordered = new Date(Date.now() - HOUR);
  const traits = { email: ann, firstName: "Ann", plan: "team", seats: 3, beta: true, address: { city: "Zürich" } };

  // Before identify() they send `userId: ""`.
  analytics.page("Docs", "Pricing");
  analytics.track("Button Clicked", { label: "Try it", nested: { list: [1, "two", null, true] } });
  const first = analytics.getAnonymousId();
  // The profile goes into `context.traits`, of this message and of all that follow.
  analytics.identify(ann, traits);
  analytics.track("Order Completed", { total: 19.9 }, { originalTimestamp: ordered.toISOString() });
  analytics.page();
  analytics.group(`${prefix}-company`, { name: "Example & Co.", employees: 12 });
  // Somebody with a name is not merged into somebody else.
  analytics.alias(`${prefix}-nobody`, ann);

  // Another visitor, who turns out to be Bob.
  analytics.reset(true);
  const second = analytics.getAnonymousId();
  analytics.track("Trial Started");
  analytics.alias(bob, second);

  analytics.reset(true);
  analytics.track("Passed By");

  return {
    messages: 10,
    users: [
      {
        identifier: ann,
        traits,
        anonymousIds: [first],
        events: [
          ["page", "Pricing"],
          ["event", "Button Clicked"],
          ["event", "Order Completed", ordered.getTime()],
          ["page", ""],
        ],
      },
      { identifier: bob, traits: {}, anonymousIds: [second], events: [["event", "Trial Started"]] },
    ],
    anonymous: [{ anonymousId: analytics.getAnonymousId(), events: [["event", "Passed By"]] }],
    absent: [`${prefix}-nobody`, `${prefix}-company`],
  };
}
