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

const allowed = ["sessionid", "django_language", "csrftoken", "cookies_preferences", "__Host-portal", "__Secure-portal", "__Http-portal"];

describe("the corpus of Set-Cookie lines", () => {
  let parts, page, context, origin;

  before(async () => {
    parts = await start();
    origin = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (request) => {
        const entry = corpus[/^GET \/(\d+) /.exec(request.toString("latin1"))?.[1]];
        const cookie = entry ? `Set-Cookie: ${entry.line}\r\n` : "";
        const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n";
        socket.end(Buffer.from(`${head}${cookie}Content-Length: 2\r\n\r\nok`, "latin1"));
      });
    });
    await new Promise((resolve) => origin.listen(parts.ports.ORIGIN_PORT, "127.0.0.1", resolve));
    context = await parts.browser.newContext();
    page = await context.newPage();
  });
  after(async () => {
    origin?.close();
    await parts?.stop();
  });

  // sentBack returns the Cookie header that follows an answer with a line.
  async function sentBack(port, index) {
    await context.clearCookies();
    // Chromium refuses an answer with a NUL altogether, and shows its own page.
    await page.goto(`http://localhost:${port}/${index}`).catch(async () => {
      await page.waitForURL("chrome-error://**");
    });
    const response = await page.goto(`http://localhost:${port}/none`);
    const { cookie = "" } = await response.request().allHeaders();
    return cookie;
  }
  const pairName = (cookie) => (cookie.includes("=") ? cookie.split("=")[0] : "");

  test("no leak, no loss", async () => {
    const leaks = [], losses = [];
    let stored = 0, kept = 0;
    for (const [index, { line, leaves }] of corpus.entries()) {
      const direct = await sentBack(parts.ports.ORIGIN_PORT, index);
      const through = await sentBack(parts.ports.CORPUS_PORT, index);
      const what = { line: line.slice(0, 80), direct: direct.slice(0, 80), through: through.slice(0, 80) };
      if (direct) stored++;
      if (through) kept++;
      if (through && (!allowed.includes(pairName(through)) || leaves === "")) leaks.push(what);
      // Shortening aside, the browser stores the same as without the charter.
      if (leaves !== "" && through !== direct) losses.push(what);
      if (leaves === "" && allowed.includes(pairName(direct))) losses.push(what);
    }
    console.log(`${corpus.length} lines: Chromium stores ${stored} sent directly, ${kept} through the charter`);
    assert.deepEqual(leaks, []);
    assert.deepEqual(losses, []);
    assert.ok(kept > 50 && stored > kept);
  });
});
