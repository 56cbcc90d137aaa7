// Drives the npm package `@customerio/cdp-analytics-node`, unmodified, through every call it has.

import { Analytics } from "@customerio/cdp-analytics-node";
import { calls } from "./calls.mjs";
import { finish } from "./report.mjs";

finish("@customerio/cdp-analytics-node", async ({ url, token, prefix }) => {
  const client = new Analytics({ host: url, writeKey: token, maxEventsInBatch: 4, flushInterval: 200 });
  return calls(client, () => client.closeAndFlush({ timeout: 30_000 }), prefix);
});
