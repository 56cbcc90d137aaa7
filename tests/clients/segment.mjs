// Drives the npm package `@segment/analytics-node`, unmodified, through every call it has.
//
//     USHER_URL=http://127.0.0.1:8080 USHER_KEY=… USHER_PREFIX=run1 node segment.mjs
//
// The key goes in as the write key. The package never looks at the body of an answer, so the script does,
// through the package's own `httpClient` setting; the same setting loses one answer on purpose, so that
// a batch comes twice.
// The last line on standard output is JSON: who must be there afterwards, with which events, each exactly once.

import assert from "node:assert/strict";
import { Analytics } from "@segment/analytics-node";

const { USHER_URL, USHER_KEY, USHER_PREFIX = "segment-node" } = process.env;

const IS_EVENT = new Set(["track", "page", "screen"]);

/** A client and everything that went over its wire. */
function open(writeKey) {
  const wire = { requests: [], answers: [], loseNextAnswer: false };
  const analytics = new Analytics({
    host: USHER_URL,
    writeKey,
    maxRetries: 3,
    httpClient: async (url, init) => {
      wire.requests.push({ url, headers: init.headers, body: JSON.parse(init.body) });
      const response = await fetch(url, init);
      const text = await response.text();
      wire.answers.push({ status: response.status, type: response.headers.get("content-type") ?? "", text });
      if (wire.loseNextAnswer) {
        wire.loseNextAnswer = false;
        throw new Error("the answer was lost on the way");
      }
      return response;
    },
  });
  // Each failure also reaches the callback of its own call.
  analytics.on("error", () => {});
  return { analytics, wire };
}

/** Makes the calls, flushes once, and gives back the messages that the package made of them. */
async function deliver({ analytics, wire }, calls) {
  const delivered = calls.map(
    ([type, message]) =>
      new Promise((resolve, reject) => {
        analytics[type](message, (error, context) => {
          if (error) reject(new Error(`${type} ${JSON.stringify(message)}: ${error.message ?? error} ${wire.answers.at(-1)?.text ?? ""}`));
          else resolve(context.event);
        });
      }),
  );
  const flushed = analytics.flush({ timeout: 30_000 });
  try {
    return await Promise.all(delivered);
  } finally {
    await flushed;
  }
}

/** What a message that counts as an event looks like in the report. */
const asEvent = (message) => ({
  type: message.type,
  name: message.event ?? message.name ?? null,
  messageId: message.messageId,
  at: new Date(message.timestamp).getTime(),
});
const eventsOf = (messages) => messages.filter((message) => IS_EVENT.has(message.type)).map(asEvent);

function answeredWell(wire, what) {
  for (const { status, type, text } of wire.answers) {
    assert.equal(status, 200, `${what}: ${status} ${text}`);
    assert.match(type, /^application\/json/, `${what}: content type`);
    assert.deepEqual(JSON.parse(text), { success: true }, `${what}: body`);
  }
}

async function main() {
  assert.ok(USHER_URL && USHER_KEY, "USHER_URL and USHER_KEY must be set");
  const client = open(USHER_KEY);
  const { wire } = client;
  const ann = `${USHER_PREFIX}-ann@example.com`;
  const bob = `${USHER_PREFIX}-bob`;
  const eve = `${USHER_PREFIX}-eve`;
  const [first, second, passer] = ["first", "second", "passer-by"].map((name) => `${USHER_PREFIX}-visitor-${name}`);
  const traits = {
    email: ann,
    firstName: "Ann",
    lastName: "Example",
    plan: "team",
    seats: 3,
    beta: true,
    address: { city: "Zürich", country: "CH" },
    createdAt: new Date("2024-02-29T12:00:00.123Z"),
  };

  // A visitor without a name, who turns out to be Ann: identify() with both ids.
  const visit = await deliver(client, [
    ["page", { anonymousId: first, category: "Docs", name: "Pricing", properties: { url: "https://shop.example.com/pricing?from=ad#plans", title: "Pricing" } }],
    ["track", { anonymousId: first, event: "Button Clicked", properties: { label: "Try it", nested: { list: [1, "two", null, true] } } }],
  ]);
  const known = await deliver(client, [
    ["identify", { userId: ann, anonymousId: first, traits }],
    ["track", { userId: ann, event: "Order Completed", properties: { total: 19.9, currency: "CHF" }, timestamp: new Date(Date.now() - 3_600_000) }],
    ["page", { userId: ann }],
    ["screen", { userId: ann, category: "Shop", name: "Basket", properties: { items: 2 } }],
    ["group", { userId: ann, groupId: `${USHER_PREFIX}-company`, traits: { name: "Example & Co.", employees: 12 } }],
    ["track", { userId: ann, anonymousId: first, event: "Signed In", context: { ip: "192.0.2.7", userAgent: "Example/1.0", locale: "de-CH" } }],
  ]);

  // Another visitor who turns out to be Ann: alias().
  const trial = await deliver(client, [["track", { anonymousId: second, event: "Trial Started" }]]);
  await deliver(client, [["alias", { userId: ann, previousId: second }]]);
  const afterwards = await deliver(client, [["track", { anonymousId: second, event: "Trial Continued" }]]);

  // Nobody ever finds out who this one was.
  const passing = await deliver(client, [["page", { anonymousId: passer, name: "Home" }]]);

  // More than one batch takes: the package sends the batches side by side.
  const pings = await deliver(
    client,
    Array.from({ length: 40 }, (_, number) => ["track", { userId: bob, event: "Ping", properties: { number } }]),
  );
  assert.ok(wire.requests.some(({ body }) => body.batch.length > 1), "nothing was sent as a batch");

  // The same message id twice counts once, be it in one batch or in two.
  const messageId = `${USHER_PREFIX}-the-same-message`;
  const same = ["track", { userId: bob, event: "Said Twice", messageId }];
  const [twice] = await deliver(client, [same, same]);
  await deliver(client, [same]);

  // An answer is lost, so the package sends the batch again, message ids and all.
  const before = wire.requests.length;
  wire.loseNextAnswer = true;
  const again = await deliver(client, [
    ["identify", { userId: bob, traits: { name: "Bob Example" } }],
    ["track", { userId: bob, event: "Sent Again" }],
    ["screen", { userId: bob, name: "Settings" }],
  ]);
  const [lost, repeated, ...more] = wire.requests.slice(before);
  assert.equal(more.length, 0, "the batch was sent exactly twice");
  assert.equal(repeated.headers["X-Retry-Count"], "1", "the second time is a retry");
  assert.deepEqual(repeated.body.batch, lost.body.batch, "the same messages twice");

  answeredWell(wire, "the main run");

  // A message that nobody can store must not take its neighbour along: the package lets a group without a user through.
  const mixed = open(USHER_KEY);
  const mixedCalls = await deliver(mixed, [
    ["group", { groupId: `${USHER_PREFIX}-company` }],
    ["track", { userId: eve, event: "Good Neighbour" }],
  ]);
  for (const { status, text } of mixed.wire.answers) {
    assert.equal(status, 200, `a batch with one bad message: ${status} ${text}`);
    const answer = JSON.parse(text);
    assert.equal(answer.success, true, `a batch with one bad message: ${text}`);
    assert.ok((answer.errors ?? []).every(({ index }) => index === 0), `only the first message is bad: ${text}`);
  }
  await mixed.analytics.closeAndFlush({ timeout: 30_000 });

  // Closing sends nothing when everything is out already.
  const total = wire.requests.length;
  await client.analytics.closeAndFlush({ timeout: 30_000 });
  assert.equal(wire.requests.length, total, "closeAndFlush had nothing left to send");

  // closeAndFlush() itself delivers what is waiting.
  const closing = open(USHER_KEY);
  const last = new Promise((resolve, reject) => {
    closing.analytics.track({ userId: eve, event: "Last Words" }, (error, context) => (error ? reject(error) : resolve(context.event)));
  });
  const [lastWords] = await Promise.all([last, closing.analytics.closeAndFlush({ timeout: 30_000 })]);
  answeredWell(closing.wire, "closeAndFlush");

  // A wrong key: refused once, and for good.
  const stranger = open(`${USHER_KEY}x`);
  await assert.rejects(deliver(stranger, [["track", { userId: `${USHER_PREFIX}-x`, event: "Nothing" }]]), /401/, "a wrong key is a 401");
  await stranger.analytics.closeAndFlush({ timeout: 30_000 });
  assert.equal(stranger.wire.requests.length, 1, "a wrong key is not tried again");

  return {
    client: `@segment/analytics-node ${client.analytics.VERSION}`,
    requests: [client, mixed, closing, stranger].reduce((sum, { wire: { requests } }) => sum + requests.length, 0),
    users: [
      {
        identifier: ann,
        traits,
        anonymousIds: [first, second],
        groupId: `${USHER_PREFIX}-company`,
        events: eventsOf([...visit, ...known, ...trial, ...afterwards]),
      },
      { identifier: bob, traits: { name: "Bob Example" }, anonymousIds: [], events: eventsOf([...pings, twice, ...again]) },
      { identifier: eve, traits: {}, anonymousIds: [], events: eventsOf([...mixedCalls, lastWords]) },
    ],
    anonymous: [{ anonymousId: passer, events: eventsOf(passing) }],
    absent: [`${USHER_PREFIX}-x`],
  };
}

main().then(
  (report) => console.log(JSON.stringify(report)),
  (error) => {
    console.error(`@segment/analytics-node: ${error.message}`);
    process.exitCode = 1;
  },
);
