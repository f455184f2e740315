// The real banners, at the versions in package.json, store their answers in
// Chromium, and the verdicts follow: nothing clicked, accepted, refused.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { banners, show } from "./banners.js";
import { listen, root, start, until } from "./parts.js";

const tracker = "_pk_id.1.1fff";

// What the documentation has a portal with tarteaucitron add, so that hosts which are
// granted in its banner load at once.
const reloads = /<script>.*tac\.close_alert.*?<\/script>/s.exec(readFileSync(path.join(root, "docs/hosts.md"), "utf8"))[0];

describe("banners", () => {
  let parts, origin;

  before(async () => {
    parts = await start();
    origin = http.createServer((request, response) => {
      const { pathname } = new URL(request.url, "http://x");
      const name = request.headers.host.split(".")[0];
      const banner = banners[name];
      if (pathname === "/measure") {
        response.writeHead(200, { "Set-Cookie": `${tracker}=1; Path=/` }).end();
      } else if (pathname === "/config.json") {
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(banner.config));
      } else if (pathname.startsWith("/lib/") && !pathname.includes("..")) {
        const types = { ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css" };
        try {
          const content = readFileSync(path.join(root, "e2e/node_modules", pathname.slice("/lib".length)));
          response.writeHead(200, { "Content-Type": types[path.extname(pathname)] ?? "text/plain" }).end(content);
        } catch {
          response.writeHead(404).end();
        }
      } else {
        const headers = { "Content-Type": "text/html; charset=utf-8" };
        // The script that copies from local storage runs under a strict policy.
        if (name.endsWith("-storage")) headers["Content-Security-Policy"] = "script-src 'self' 'nonce-test'";
        response.writeHead(200, headers).end(`<!DOCTYPE html><html lang="en"><title>${name}</title>
          <body><h1>${name}</h1>${pathname === "/reloads" ? reloads : ""}${show(banner)}
          ${name.endsWith("-storage") ? `<script src="/terms/cookies-policy/local_storage.js" defer></script>` : ""}`);
      }
    });
    await listen(origin, parts.ports.ORIGIN_PORT);
  });
  after(async () => {
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
  });

  // press clicks a button as long as it shows: it can do so before it listens.
  const press = async (page, button) => {
    if (await page.isVisible(button)) await page.click(button, { timeout: 1000 }).catch(() => {}); // it can go while it is clicked
  };

  // visit opens the site with a fresh browser, clicks, and tells whether the
  // tracker is held, and what the charter page says is stored.
  async function visit(name, button) {
    const context = await parts.browser.newContext({ locale: "en-GB" });
    const page = await context.newPage();
    const site = `http://${name}.example:${parts.ports.BANNERS_PORT}`;
    await page.goto(site + "/");
    // Wait for the banner in any case: some store their cookie before an answer.
    await page.waitForSelector(banners[name].accept, { state: "visible" });
    if (button) {
      await until(async () => {
        await press(page, button);
        return /Stored answer: \w+\./.test(await page.evaluate(async () => (await fetch("/terms/cookies-policy/")).text()));
      }, () => "the answer is stored");
    }
    await page.evaluate(() => fetch("/measure"));
    const isHeld = (await context.cookies()).some((cookie) => cookie.name === tracker);
    await page.goto(site + "/terms/cookies-policy/");
    const stored = /(Stored answer: \w+|No answer stored)\./.exec(await page.textContent("main"))[1];
    await context.close();
    return [isHeld, stored];
  }

  test("a page loads once more after a choice, and not without one", async () => {
    const context = await parts.browser.newContext({ locale: "en-GB" });
    const page = await context.newPage();
    let loads = 0;
    page.on("load", () => loads++);
    await page.goto(`http://tarteaucitron.example:${parts.ports.BANNERS_PORT}/reloads`);
    const { accept } = banners.tarteaucitron;
    await page.waitForSelector(accept, { state: "visible" });
    await until(async () => {
      if (loads === 1) await press(page, accept);
      return loads > 1;
    }, () => "the page loads once more");
    // With nothing to ask any more, the banner closes on the page by itself.
    await page.waitForFunction(() => window.tarteaucitron?.isAjax || document.readyState === "complete");
    await sleep(1500);
    assert.equal(loads, 2);
    await context.close();
  });

  // A choice that is made anew or cleared in local storage is so in the cookie;
  // one that stays is not renewed.
  test("local storage is followed", async () => {
    const context = await parts.browser.newContext();
    const page = await context.newPage();
    const site = `http://klaro-storage.example:${parts.ports.BANNERS_PORT}/`;
    const cookie = async () => (await context.cookies()).find(({ name }) => name === "klaro");
    await page.goto(site);
    assert.equal(await cookie(), undefined);
    for (const value of ['{"measure":true}', '{"measure":false}']) {
      await page.evaluate((value) => localStorage.setItem("klaro", value), value);
      await page.waitForFunction((value) => document.cookie.includes(encodeURIComponent(value)), value);
    }
    const { expires, sameSite, path } = await cookie();
    assert.deepEqual([sameSite, path], ["Lax", "/"]);
    assert.ok(Math.abs(expires - Date.now() / 1000 - 15778476) < 60);
    await page.reload();
    await page.waitForFunction(() => document.readyState === "complete");
    assert.equal((await cookie()).expires, expires);
    for (const clear of [() => localStorage.removeItem("klaro"), () => localStorage.setItem("klaro", "x".repeat(5000))]) {
      await page.evaluate(() => localStorage.setItem("klaro", "{}"));
      await page.waitForFunction(() => document.cookie.includes("klaro"));
      await page.evaluate(clear);
      await page.waitForFunction(() => !document.cookie.includes("klaro"));
    }
    await context.close();
  });

  for (const [name, { accept, refuse }] of Object.entries(banners)) {
    test(name, async () => {
      assert.deepEqual(await visit(name), [false, "No answer stored"]);
      assert.deepEqual(await visit(name, accept), [true, "Stored answer: accepted"]);
      assert.deepEqual(await visit(name, refuse), [false, "Stored answer: refused"]);
    });
  }
});
