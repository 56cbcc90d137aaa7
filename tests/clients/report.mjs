// What the scripts of the server clients have in common: what they are told, and how they end.

import assert from "node:assert/strict";

export const HOUR = 3_600_000;

/** Runs a script with the server's address, its write key and a prefix for names; prints its report. */
export function finish(client, run) {
  const { USHER_URL: url, USHER_TOKEN: token, USHER_PREFIX: prefix } = process.env;
  assert.ok(url && token && prefix, "USHER_URL, USHER_TOKEN and USHER_PREFIX must be set");
  run({ url, token, prefix }).then(
    (report) => {
      console.log(JSON.stringify(report));
      // Some clients keep a timer or a connection open.
      process.exit(0);
    },
    (error) => {
      console.error(`${client}: ${error.stack ?? error}`);
      process.exit(1);
    },
  );
}
