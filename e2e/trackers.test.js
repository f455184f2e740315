// The trackers of the presets, where their real code can be had, write their
// cookies in Chromium. What they write is a Set-Cookie line but for the way that
// it takes, so the portal sends each of these lines, too: granted, it leaves as
// it came, so that it is declared, with the right key and for long enough;
// refused, it does not. Of the other trackers no package has the code: what a
// public copy writes is in charter_test.go.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { listen, root, start } from "./parts.js";

// Of each tracker: its script, and what makes it write all that it can, one page
// each; and the cookies that are seen at least, lest it silently does nothing.
const trackers = {
  piano: {
    script: "piano-analytics-js/dist/browser/piano-analytics.js",
    pages: [
      `pa.setUser("someone", "category", true); pa.sendEvent("page.display", { page: "home" });`,
      `pa.privacy.setMode("exempt"); pa.sendEvent("page.display", {});`,
      `pa.privacy.setMode("optout"); pa.sendEvent("page.display", {});`,
    ],
    consent: [``, `window.pdl = { requireConsent: true };`, `window.pdl = { requireConsent: "v2" };`],
    start: `pa.setConfigurations({ site: 123456, collectDomain: "https://collector.example" });`,
    writes: ["_cookie_test", "_pcid", "_pctx", "_pprv", "pa_privacy", "pa_user"],
  },
};

describe("what trackers write is declared", () => {
  let parts, origin, line;

  before(async () => {
    parts = await start();
    origin = http.createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, "http://origin");
      const tracker = trackers[searchParams.get("tracker")];
      const inline = (script) => `<script>${script}</script>`;
      switch (pathname) {
        case "/page":
          response.setHeader("Content-Type", "text/html");
          return response.end(
            `<!DOCTYPE html><title>page</title>${inline(tracker.consent[searchParams.get("consent")])}<script src="/script?tracker=${searchParams.get("tracker")}"></script>` +
              inline(tracker.start) + inline(tracker.pages[searchParams.get("page")]),
          );
        case "/script":
          return response.end(readFileSync(path.join(root, "e2e/node_modules", tracker.script)));
        default:
          response.setHeader("Set-Cookie", line);
          return response.end();
      }
    });
    await listen(origin, parts.ports.ORIGIN_PORT);
  });
  after(async () => {
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
  });

  for (const [key, tracker] of Object.entries(trackers)) {
    test(key, async () => {
      const site = `https://trackers.city.example:${parts.ports.HTTPS_PORT}`;
      const context = await parts.browser.newContext({ ignoreHTTPSErrors: true });
      const answer = (given) => context.addCookies([{ name: "cookies_preferences", value: JSON.stringify({ [key]: given }), url: site }]);
      const written = [];
      let hits = 0;
      await context.exposeFunction("wrote", (line, at) => void written.push({ line, at }));
      await context.addInitScript(() => {
        const { get, set } = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
        Object.defineProperty(Document.prototype, "cookie", { configurable: true, get, set(line) { window.wrote(String(line), Date.now()); set.call(this, line); } });
        for (const name of ["set", "delete"]) {
          const original = CookieStore.prototype[name];
          CookieStore.prototype[name] = function (...given) { window.wrote(`by CookieStore: ${JSON.stringify(given)}`, Date.now()); return original.apply(this, given); };
        }
      });
      await context.route((url) => url.origin !== site, (route) => {
        hits += 1;
        return route.fulfill({ status: 204, headers: { "Access-Control-Allow-Origin": "*" } });
      });
      const page = await context.newPage();
      const errors = [];
      page.on("pageerror", (error) => errors.push(error.message));
      for (const consent of tracker.consent.keys()) {
        await context.clearCookies();
        await answer(true);
        for (const number of tracker.pages.keys()) {
          await page.goto(`${site}/page?tracker=${key}&consent=${consent}&page=${number}`, { waitUntil: "networkidle" });
        }
      }
      assert.deepEqual(errors, []);
      assert.ok(hits > 0, "it collected nothing");

      const nameOf = (line) => line.split("=")[0];
      const deposits = written.filter(({ line, at }) => !(Date.parse(/expires=([^;]*)/i.exec(line)?.[1]) < at));
      assert.deepEqual([...new Set(deposits.map(({ line }) => nameOf(line)))].sort(), tracker.writes);

      const answered = async (given, sent) => {
        line = sent;
        const headers = { Host: new URL(site).host, Cookie: `cookies_preferences=${JSON.stringify({ [key]: given })}` };
        const options = { host: "127.0.0.1", port: parts.ports.HTTPS_PORT, servername: new URL(site).hostname, rejectUnauthorized: false, agent: false, headers };
        const response = await new Promise((resolve, reject) => https.get(options, resolve).once("error", reject));
        response.resume();
        assert.equal(response.statusCode, 200);
        return response.headers["set-cookie"] ?? [];
      };
      // As if it were written now, lest what lives for seconds is over.
      const renewed = ({ line, at }) => line.replace(/expires=([^;]*)/i, (_, date) => `expires=${new Date(Date.parse(date) - at + Date.now()).toUTCString()}`);
      for (const written of deposits) {
        const deposit = renewed(written);
        assert.deepEqual(await answered(true, deposit), [deposit], "granted");
        assert.deepEqual(await answered(false, deposit), [], "refused");
      }
      await context.close();
    });
  }
});
