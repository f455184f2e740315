// A tracker's script that is served only to who allows it, with a portal that
// wants it kept for a year: after a withdrawal it does not run out of what the
// browsers have kept, be it a file or a whole page.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startFirefox } from "./firefox.js";
import { listen, start, until } from "./parts.js";

const browsers = {
  chromium: async () => {
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      // Pages to which the visitor goes back are kept whole, as for everybody.
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--host-resolver-rules=MAP *.example 127.0.0.1"],
    });
    return { newPage: async () => (await browser.newContext({ ignoreHTTPSErrors: true })).newPage(), close: () => browser.close() };
  },
  firefox: startFirefox,
};

describe("a granted script after a withdrawal", () => {
  let parts, origin;

  before(async () => {
    parts = await start();
    origin = http.createServer((request, response) => {
      const { pathname } = new URL(request.url, "http://origin");
      if (pathname !== "/matomo.js") {
        return response.writeHead(200, { "Content-Type": "text/html" }).end(`<!DOCTYPE html><title>portal</title><script src="/matomo.js"></script>`);
      }
      const headers = { "Content-Type": "text/javascript", ETag: '"1"', "Cache-Control": "public, max-age=31536000, immutable" };
      if (request.headers["if-none-match"] === '"1"') return response.writeHead(304, headers).end();
      response.writeHead(200, headers).end(`window.beats = 0; setInterval(() => { beats += 1; }, 50);`);
    });
    await listen(origin, parts.ports.ORIGIN_PORT);
  });
  after(async () => {
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
  });

  // visitor returns what a visitor of a host does, in a browser of its own.
  async function visitor(launch, host) {
    const browser = await launch();
    const page = await browser.newPage();
    const site = `https://${host}:${parts.ports.HTTPS_PORT}`;
    await page.goto(site + "/first");
    // Navigations go by script, as browsers' drivers wait for loads that do not
    // come where a whole page is brought back.
    const arrives = async (at) => {
      await sleep(100);
      await until(() => page.evaluate((at) => location.href.includes(at) && document.readyState === "complete" && !window.stale, at).catch(() => false), () => `${at} is reached`);
    };
    const move = async (script, at) => {
      await page.evaluate(script).catch(() => {}); // the page goes while it answers
      await arrives(at);
    };
    return {
      close: () => browser.close(),
      visit: (at) => move(`location.assign("${at}")`, at),
      go: (steps, at) => move(`history.go(${steps})`, at),
      reload: (at) => move(`window.stale = true; location.reload()`, at),
      // runs tells whether the script beats in the page that shows, by that page's own clock.
      runs: () => page.evaluate(() => new Promise((resolve) => {
        const before = window.beats;
        setTimeout(() => resolve(window.beats > before), 500);
      })),
      async answer(given) {
        await move(`location.assign("/terms/cookies-policy/")`, "/terms/cookies-policy/");
        await move(`document.querySelector("input[name='answer.matomo'][value=${given}]").click(); document.querySelector("button:not([name])").click()`, "status=saved");
      },
    };
  }

  for (const [name, launch] of Object.entries(browsers)) {
    test(`${name}: what asks for the answer is asked for again`, async () => {
      const guest = await visitor(launch, "asking.city.example");
      try {
        assert.equal(await guest.runs(), false, "unanswered");
        await guest.answer("granted");
        await guest.visit("/second");
        assert.equal(await guest.runs(), true, "granted");
        await guest.answer("refused");
        await guest.visit("/second");
        assert.equal(await guest.runs(), false, "at the next visit");
        await guest.reload("/second");
        assert.equal(await guest.runs(), false, "reloaded");
        await guest.answer("granted");
        await guest.visit("/third");
        assert.equal(await guest.runs(), true, "granted again");
      } finally {
        await guest.close();
      }
    });

    test(`${name}: nor does it come back with the page`, async () => {
      const guest = await visitor(launch, "withdrawal.city.example");
      try {
        await guest.answer("granted");
        await guest.visit("/second");
        await guest.visit("/third");
        assert.equal(await guest.runs(), true, "granted");
        await guest.answer("refused");
        await guest.go(-2, "/third");
        assert.equal(await guest.runs(), false, "back");
        await guest.go(-1, "/second");
        assert.equal(await guest.runs(), false, "back once more");
        await guest.go(1, "/third");
        assert.equal(await guest.runs(), false, "forward");
        await guest.reload("/third");
        assert.equal(await guest.runs(), false, "reloaded");
        await guest.visit("/second");
        assert.equal(await guest.runs(), false, "at the next visit");
        await guest.answer("granted");
        await guest.visit("/second");
        assert.equal(await guest.runs(), true, "granted again");
      } finally {
        await guest.close();
      }
    });
  }
});
