// Drives the npm package `@vemetric/node`, unmodified, through every call it has. It speaks https alone: to a
// server with TLS straight away, and before one without the script stands a proxy of its own, with the
// certificate that the test made (USHER_CERTIFICATE, USHER_CERTIFICATE_KEY). The test has that trusted through
// NODE_EXTRA_CA_CERTS.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { Vemetric } from "@vemetric/node";
import { finish } from "./report.mjs";

/** Takes TLS off, and passes everything else on as it is. */
function unwrap(target) {
  const { USHER_CERTIFICATE: cert, USHER_CERTIFICATE_KEY: key } = process.env;
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (incoming, answer) => {
    const { method, headers } = incoming;
    const request = http.request(`${target}${incoming.url}`, { method, headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    incoming.pipe(request);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

finish("@vemetric/node", async ({ url, token, prefix }) => {
  // It writes what fails to the console, and tells nobody else.
  const failures = [];
  console.error = (...said) => failures.push(said.map(String).join(" "));
  const ann = `${prefix}-ann@example.com`;
  const host = url.startsWith("https:") ? url : `https://127.0.0.1:${await unwrap(url)}`;
  const client = new Vemetric({ token, host });
  await client.updateUser({
    userIdentifier: ann,
    userDisplayName: "Ann Example",
    userAvatarUrl: "https://shop.example.com/ann.png",
    userData: { set: { plan: "free", seats: 3 }, setOnce: { source: "newsletter" } },
  });
  await client.updateUser({ userIdentifier: ann, userData: { set: { plan: "team" }, setOnce: { source: "search" }, unset: ["seats"] } });
  for (let n = 0; n < 2; n += 1) {
    await client.trackEvent("Order Completed", {
      userIdentifier: ann,
      eventData: { total: 19.9, nested: { list: [1, "two", null, true] } },
      userData: { set: { lastOrder: 42 } },
    });
  }
  await client.trackEvent("Signed Out", { userIdentifier: ann });
  if (failures.length > 0) throw new Error(failures.join("\n"));
  return {
    identifier: ann,
    displayName: "Ann Example",
    avatarUrl: "https://shop.example.com/ann.png",
    data: { plan: "team", source: "newsletter", lastOrder: 42 },
    events: { "Order Completed": 2, "Signed Out": 1 },
  };
});
