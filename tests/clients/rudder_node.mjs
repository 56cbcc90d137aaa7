// Drives the npm package `@rudderstack/rudder-sdk-node`, unmodified, through every call it has. It packs
// its batches, and says when a message was made in `originalTimestamp` alone.

import RudderAnalytics from "@rudderstack/rudder-sdk-node";
import { calls } from "./calls.mjs";
import { finish } from "./report.mjs";

finish("@rudderstack/rudder-sdk-node", async ({ url, token, prefix }) => {
  const client = new RudderAnalytics(token, { dataPlaneUrl: url, flushAt: 4, flushInterval: 200, logLevel: "error" });
  return calls(client, () => client.flush(), prefix);
});
