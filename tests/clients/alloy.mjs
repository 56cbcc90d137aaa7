// Drives the npm package `alloy-node`, unmodified, through every user call it has.
//
// The package knows one host only, so an interceptor on its own copy of axios sends the requests to
// USHER_URL instead; paths, headers and bodies stay what the package makes of them.
//
//     USHER_URL=http://127.0.0.1:8080 USHER_KEY=… USHER_PREFIX=run1 node alloy.mjs
//
// The last line on standard output is JSON: the users that are left, and those that were deleted.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { USHER_URL, USHER_KEY, USHER_PREFIX = "alloy" } = process.env;

const ALLOY_HOST = "https://embedded.runalloy.com";
const require = createRequire(import.meta.url);
const entry = require.resolve("alloy-node");
const Alloy = require(entry);
// Resolved from the package's own place: a second copy of axios would not see its requests.
const axios = createRequire(entry)("axios");

const answers = [];
axios.interceptors.request.use((config) => {
  assert.ok(config.url.startsWith(ALLOY_HOST), `unexpected host in ${config.url}`);
  const path = config.url.slice(ALLOY_HOST.length);
  return { ...config, url: USHER_URL.replace(/\/$/, "") + path, timeout: 10_000 };
});
const note = (response) => answers.push({ status: response.status, type: response.headers["content-type"] ?? "" });
axios.interceptors.response.use(
  (response) => (note(response), response),
  (error) => {
    // Without an answer the package would fail on its own, with a message about nothing.
    if (!error.response) throw Object.assign(error, { response: { data: { message: `no answer: ${error.message}` } } });
    note(error.response);
    throw error;
  },
);

/** Runs one step and fails with its name, whatever the package threw. */
async function step(name, act) {
  try {
    return await act();
  } catch (error) {
    const why = error?.message ?? error ?? `an error body without a message, status ${answers.at(-1)?.status}`;
    throw new Error(`${name}: ${why}`);
  }
}

/** The package throws the `message` of the error body: a string, or nothing when the shape is wrong. */
async function refused(name, status, message, act) {
  let thrown;
  try {
    await act();
  } catch (error) {
    thrown = { error };
  }
  assert.ok(thrown, `${name}: should have been refused`);
  assert.equal(typeof thrown.error, "string", `${name}: the error body has no message (got ${thrown.error})`);
  const answer = answers.at(-1);
  assert.equal(answer?.status, status, `${name}: status of "${thrown.error}"`);
  assert.match(answer.type, /^application\/json/, `${name}: content type`);
  if (message) assert.equal(thrown.error, message, `${name}: message`);
  else assert.notEqual(thrown.error, "", `${name}: empty message`);
}

async function main() {
  assert.ok(USHER_URL && USHER_KEY, "USHER_URL and USHER_KEY must be set");
  const alloy = new Alloy(USHER_KEY);
  const ann = `${USHER_PREFIX}-ann+shop@example.com`;
  const bob = `${USHER_PREFIX}-bob`;
  // The package puts a name into the path as it is, so a name like this one has to be encoded by the caller.
  const zoe = `${USHER_PREFIX}-zoë / 100%`;

  const create = async (username, fullName) => {
    const answer = await step(`create ${username}`, () => alloy.createUser({ username, fullName }));
    assert.match(answer.userId, /^[0-9a-f]{24}$/, `create ${username}: userId`);
    return answer.userId;
  };
  const annId = await create(ann, "Ann Example");
  const bobId = await create(bob, "Bob Example");
  const zoeId = await create(zoe, "Zoë Example");
  assert.equal(new Set([annId, bobId, zoeId]).size, 3, "three users, three ids");

  await refused("create a taken username", 409, null, () => alloy.createUser({ username: ann }));
  await refused("create without a username", 400, null, () => alloy.createUser({}));
  await refused("create without a body", 400, null, () => alloy.createUser());

  const expected = { userId: annId, username: ann, fullName: "Ann Example" };
  assert.deepEqual(await step("get by id", () => alloy.getUser(annId)), expected);
  assert.deepEqual(await step("get by username", () => alloy.getUser(ann)), expected);
  assert.deepEqual(
    await step("get by an encoded username", () => alloy.getUser(encodeURIComponent(zoe))),
    { userId: zoeId, username: zoe, fullName: "Zoë Example" },
  );

  const list = await step("list", () => alloy.getUsers());
  assert.ok(Array.isArray(list.data), "list: data is an array");
  for (const [userId, username, fullName] of [
    [annId, ann, "Ann Example"],
    [bobId, bob, "Bob Example"],
    [zoeId, zoe, "Zoë Example"],
  ]) {
    const found = list.data.filter((user) => user.username === username);
    assert.deepEqual(found, [{ userId, username, fullName }], `list: ${username} exactly once`);
  }

  // identify() is a GET with the body `{}`; the calls after it act on the user it found.
  await step("identify by username", () => alloy.identify(ann));
  assert.deepEqual([alloy.userId, alloy.username], [annId, ann], "identify by username");
  await step("identify by id", () => alloy.identify(annId));
  assert.deepEqual([alloy.userId, alloy.username], [annId, ann], "identify by id");

  const renamed = { userId: annId, username: ann, fullName: "Ann Renamed" };
  assert.deepEqual(await step("update", () => alloy.updateUser({ fullName: "Ann Renamed" })), renamed);
  assert.deepEqual(await step("get after update", () => alloy.getUser(ann)), renamed);
  assert.deepEqual(await step("delete logs", () => alloy.deleteLogs()), { message: "Success" });
  assert.deepEqual(await step("get after delete logs", () => alloy.getUser(ann)), renamed);

  await step("identify bob", () => alloy.identify(bob));
  assert.deepEqual(await step("delete", () => alloy.deleteUser()), { success: true });
  await refused("get by id after delete", 404, "User not found", () => alloy.getUser(bobId));
  await refused("get by username after delete", 404, "User not found", () => alloy.getUser(bob));
  await refused("update after delete", 404, "User not found", () => alloy.updateUser({ fullName: "Nobody" }));
  await refused("delete twice", 404, "User not found", () => alloy.deleteUser());
  const left = await step("list after delete", () => alloy.getUsers());
  assert.ok(!left.data.some((user) => user.userId === bobId || user.username === bob), "list after delete: bob is gone");
  assert.ok(left.data.some((user) => user.userId === annId), "list after delete: ann stays");
  // deleteUser() forgets nothing on the client's side: the logs of the deleted account still go by its id.
  assert.equal(alloy.userId, bobId);
  assert.deepEqual(await step("delete logs after the account is gone", () => alloy.deleteLogs()), { message: "Success" });

  await refused("identify an unknown user", 404, "User not found", () => alloy.identify(`${USHER_PREFIX}-nobody`));
  assert.equal(alloy.userId, null, "a failed identify leaves no user");
  // The package then asks for a user called "null": nobody may be hit by that.
  await refused("delete without a user", 404, "User not found", () => alloy.deleteUser());
  await refused("delete logs without a user", 404, "User not found", () => alloy.deleteLogs());

  // User paths that Usher does not serve still answer in Alloy's shape, or the package throws `undefined`.
  await step("identify again", () => alloy.identify(ann));
  await refused("user token", 404, null, () => alloy.getUserToken());
  await refused("disable all workflows", 404, null, () => alloy.disableAllWorkflows());
  // Running workflows on an event is no user call and not Usher's: known to be missing, in whatever words.
  await alloy.event("order", { total: 1 }).then(
    () => assert.fail("event: should have been refused"),
    (error) => assert.ok(!(error instanceof Error), `event: ${error?.message}`),
  );
  assert.equal(answers.at(-1).status, 404, "event: status");
  alloy.clear();

  const stranger = new Alloy(`${USHER_KEY}x`);
  await refused("a wrong key", 401, "Unauthorized", () => stranger.getUsers());
  await refused("a wrong key on create", 401, "Unauthorized", () => stranger.createUser({ username: `${USHER_PREFIX}-x` }));

  for (const { status, type } of answers) {
    if (status === 200) assert.match(type, /^application\/json/, "content type of an answer");
  }
  return {
    client: `alloy-node ${require("alloy-node/package.json").version}`,
    requests: answers.length,
    users: [
      { userId: annId, identifier: ann, fullName: "Ann Renamed" },
      { userId: zoeId, identifier: zoe, fullName: "Zoë Example" },
    ],
    deleted: [{ userId: bobId, identifier: bob }],
    absent: [`${USHER_PREFIX}-nobody`, `${USHER_PREFIX}-x`, "null"],
  };
}

main().then(
  (report) => console.log(JSON.stringify(report)),
  (error) => {
    console.error(`alloy-node: ${error.message}`);
    process.exitCode = 1;
  },
);
