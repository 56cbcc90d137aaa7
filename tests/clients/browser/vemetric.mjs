// Drives the npm package `@vemetric/web`, unmodified, in a browser, through every call it has. It loads
// the tracker from `scriptUrl`: the package's own copy of it, which the test serves.
//
// `window.report` says who must be there afterwards, and how often with which event.

import { vemetric } from "@vemetric/web";
import { finish } from "./report.mjs";

/** The package's calls go to the tracker, once that is there. */
async function loaded() {
  while (!document.getElementById("vmtrc-scr")?.dataset.loaded) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A message to this path was answered: what the answer sets is in the browser. */
async function answered(path) {
  const is = (entry) => entry.name.endsWith(path) && entry.responseEnd > 0;
  while (!performance.getEntriesByType("resource").some(is)) await new Promise((resolve) => setTimeout(resolve, 10));
}

finish(async ({ url, token, prefix, cookies }) => {
  const ann = `${prefix}-ann@example.com`;
  // The page view of the start is sent without being asked for.
  vemetric.init({ token, host: url, scriptUrl: "/vemetric.js", allowCookies: cookies === true });
  const script = document.getElementById("vmtrc-scr");
  script.addEventListener("load", () => (script.dataset.loaded = "yes"));
  await loaded();
  // Two messages at once, before the first has set the cookie, are of two visitors, as with the vendor.
  if (cookies) await answered("/e");

  await vemetric.trackEvent("Before Login", { eventData: { label: "Try it" } });
  await vemetric.identify({
    identifier: ann,
    displayName: "Ann Example",
    avatarUrl: "https://shop.example.com/ann.png",
    data: { set: { plan: "free", seats: 3 }, setOnce: { source: "newsletter" } },
  });
  await vemetric.trackEvent("Order Completed", {
    eventData: { total: 19.9, nested: { list: [1, "two", null, true] } },
    userData: { set: { lastOrder: 42 } },
  });
  await vemetric.updateUser({ set: { plan: "team" }, setOnce: { source: "search" }, unset: ["seats"] });
  // A page view of its own, as an app of one page makes it.
  history.pushState({}, "", "/pricing?from=ad#plans");
  await vemetric.trackPageView();
  // A click that is tracked by an attribute, and one on a link to somewhere else, which is not followed here.
  document.querySelector("button").click();
  document.querySelector("a").click();
  // Leaving the page goes out as a beacon.
  vemetric.trackPageLeave();
  // With cookies it makes a new visitor, whose session has not begun when the page is left for good.
  if (!cookies) await vemetric.resetUser();

  return {
    identifier: ann,
    displayName: "Ann Example",
    avatarUrl: "https://shop.example.com/ann.png",
    data: { plan: "team", source: "newsletter", lastOrder: 42 },
    events: { $$pageView: 2, "Before Login": 1, "Order Completed": 1, "Button Pressed": 1, $$outboundLink: 1 },
  };
});
