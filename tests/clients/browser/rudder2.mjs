// Drives the npm package `rudder-sdk-js`, unmodified, in a browser, through every call it has. See
// segment.mjs for what the page sets and what the report is.

import * as analytics from "rudder-sdk-js";
import { calls } from "./rudder_calls.mjs";
import { finish } from "./report.mjs";

finish(async ({ url, token, prefix, beacon }) => {
  analytics.load(token, url, { configUrl: url, useBeacon: beacon === true, beaconQueueOptions: { flushQueueInterval: 500 } });
  await new Promise((resolve) => analytics.ready(resolve));
  return calls(analytics, prefix);
});
