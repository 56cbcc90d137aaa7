// Drives the npm package `analytics-node`, unmodified: Segment's older client for Node.js, which many
// programs still have.

import Analytics from "analytics-node";
import { calls } from "./calls.mjs";
import { finish } from "./report.mjs";

finish("analytics-node", async ({ url, token, prefix }) => {
  const client = new Analytics(token, { host: url, flushAt: 4, flushInterval: 200 });
  return calls(client, () => client.flush(), prefix);
});
