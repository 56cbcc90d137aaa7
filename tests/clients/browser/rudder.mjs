// Drives the npm package `@rudderstack/analytics-js`, unmodified, in a browser, through every call it has.
// See segment.mjs for what the page sets and what the report is.

import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";
import { calls } from "./rudder_calls.mjs";
import { finish } from "./report.mjs";

finish(async ({ url, token, prefix, beacon }) => {
  const analytics = new RudderAnalytics();
  analytics.load(token, url, { configUrl: url, useBeacon: beacon === true, beaconQueueOptions: { flushQueueInterval: 500 } });
  await new Promise((resolve) => analytics.ready(resolve));
  return calls(analytics, prefix);
});
