// A raw TCP origin sends every line of the corpus to Chromium, once directly
// and once through the charter. What the browser then sends back was allowed,
// and nothing was lost that is declared and well formed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { root, start } from "./parts.js";

const corpus = readFileSync(path.join(root, "testdata/set_cookie.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

// The names that are allowed before an answer, with how long each may live.
const day = 86400, month = 2629746;
const longest = {
  sessionid: 14 * day,
  django_language: 12 * month,
  csrftoken: 12 * month,
  cookies_preferences: 6 * month,
  mtm_consent: 400 * day,
  mtm_consent_removed: 400 * day,
  "__Host-portal": 400 * day,
  "__Secure-portal": 400 * day,
  "__Http-portal": 400 * day,
};
const allowed = Object.keys(longest);

describe("the corpus of Set-Cookie lines", () => {
  let parts, context, origin, direct, through;

  before(async () => {
    parts = await start();
    origin = net.createServer((socket) => {
      let request = "";
      socket.on("error", () => {});
      socket.on("data", (data) => {
        request += data.toString("latin1");
        if (!request.endsWith("\r\n\r\n")) return;
        const entry = corpus[/^GET \/(\d+) /.exec(request)?.[1]];
        const cookie = entry ? `Set-Cookie: ${entry.line}\r\n` : "";
        const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n";
        socket.end(Buffer.from(`${head}${cookie}Content-Length: 2\r\n\r\nok`, "latin1"));
      });
    });
    await new Promise((resolve) => origin.listen(parts.ports.ORIGIN_PORT, "127.0.0.1", resolve));
    context = await parts.browser.newContext();
    direct = await tap(parts.ports.ORIGIN_PORT);
    through = await tap(parts.ports.CORPUS_PORT);
  });
  after(async () => {
    for (const server of [origin, direct, through]) server?.close();
    await parts?.stop();
  });

  // tap stands in front of a server, keeps the bytes that the browser sends, and
  // opens a page there.
  async function tap(port) {
    const server = net.createServer((socket) => {
      const upstream = net.connect(port, "127.0.0.1");
      socket.on("data", (data) => (server.seen += data.toString("latin1")));
      socket.pipe(upstream).pipe(socket);
      for (const end of [socket, upstream]) end.on("error", () => [socket, upstream].forEach((other) => other.destroy()));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    server.page = await context.newPage();
    await server.page.goto(`http://localhost:${server.address().port}/none`);
    return server;
  }

  // sentBack returns the raw Cookie header that follows an answer with a line.
  async function sentBack(server, index) {
    await context.clearCookies();
    // An answer with a NUL is refused altogether.
    await server.page.evaluate((url) => fetch(url).catch(() => {}), `/${index}`);
    server.seen = "";
    await server.page.evaluate(() => fetch("/none"));
    return /^cookie: (.*)\r$/im.exec(server.seen)?.[1] ?? "";
  }
  const pairName = (cookie) => (cookie.includes("=") ? cookie.split("=")[0] : "");

  test("no leak, no loss", async () => {
    const leaks = [], losses = [], overdue = [];
    let stored = 0, kept = 0;
    for (const [index, { line, leaves }] of corpus.entries()) {
      const bare = await sentBack(direct, index);
      const charted = await sentBack(through, index);
      for (const { name, expires } of await context.cookies()) {
        if (expires > Date.now() / 1000 + longest[name]) overdue.push({ line, name, expires });
      }
      const what = JSON.stringify({ line: line.slice(0, 80), bare: bare.slice(0, 80), charted: charted.slice(0, 80) });
      if (bare) stored++;
      if (charted) kept++;
      if (charted && (!allowed.includes(pairName(charted)) || leaves === "")) leaks.push(what);
      // The browser stores the same as without the charter, lifetimes aside.
      if (leaves === line && charted !== bare) losses.push(what);
      if (leaves !== "" && bare && charted !== bare) losses.push(what);
      if (leaves === "" && allowed.includes(pairName(bare))) losses.push(what);
    }
    console.log(`${corpus.length} lines: Chromium stores ${stored} sent directly, ${kept} through the charter`);
    assert.deepEqual(leaks, []);
    assert.deepEqual(losses, []);
    assert.deepEqual(overdue, []);
    assert.ok(kept > 50 && stored > kept);
  });
});
