// Pages with the guard in Chromium and Firefox, over https and http: ways around it, what the
// browser keeps of each, and how long; answers that change while a page lives; what the
// portal's code and real banners do all the same.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { banners, show } from "./banners.js";
import { startFirefox } from "./firefox.js";
import { pages, write } from "./guard/bypasses.js";
import { accepts, browserArguments, end, freePort, root } from "./parts.js";

const sites = {
  guarded: {
    presets: ["matomo"],
    rows: `cookies: [{name: needed, purpose: p, category: necessary}]`,
    preferences: [{ format: "opendatasoft" }],
  },
  monitored: { presets: ["matomo"], preferences: [{ format: "opendatasoft" }], monitors: true },
  ...Object.fromEntries(Object.entries({ tarteaucitron: "measure", klaro: "measure", cookieconsent: "analytics" }).map(([format, key]) => [format, { presets: ["matomo"], preferences: [{ format, keys: { matomo: [key] } }] }])),
};

// How long each way has, in milliseconds.
const patience = 2500;

// Ways that are seen for a while, as they are not closed but cleaned up after: code that runs
// before its realm is guarded, or beside the page.
const brief = ["answer", "service_worker", "srcdoc", "srcdoc_parent", "script_url", "script_url_parent", "blob", "blob_parent", "svg", "xhtml", "partitioned", "nameless", "deep"];

// And one that can be left: such code can write a cookie for pages elsewhere, which cannot be
// seen before the visitor goes there.
const hidden = "elsewhere";

const html = (body) => `<!DOCTYPE html><html lang="en"><title>page</title><body>${body}`;
const answers = {
  "/bypasses.js": () => ["text/javascript", readFileSync(path.join(root, "e2e/guard/bypasses.js"))],
  "/svg": (name) => ["image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><script>document.cookie = "${write(name)}"</script></svg>`],
  "/picture": () => ["image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`],
  "/xhtml": (name) => ["application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>frame</title><script>document.cookie = "${write(name)}"</script></head></html>`],
  "/page": (name) => ["text/html", html(`<script>document.cookie = "${write(name)}"</script>`)],
  "/set": (name) => ["text/plain", "", { "Set-Cookie": write(name) }],
  "/script.js": (name) => ["text/javascript", `document.cookie = "${write(name)}"`],
  "/sw.js": () => ["text/javascript", `onmessage = ({ data }) => cookieStore.set(data, "1")`],
  "/portal": () => ["text/html", html(`<script>window.told = []; document.addEventListener("cookie-charter", ({ detail }) => told.push(detail))</script>`)],
  "/grant": () => ["text/html", html(""), { "Set-Cookie": `cookies_preferences={"matomo":true}; Path=/; HttpOnly` }],
  "/banner": (name) => ["text/html; charset=utf-8", html(show(banners[name]))],
  "/empty": () => ["text/html", html("")],
};
for (const page of Object.keys(pages)) {
  answers[`/${page}`] = () => ["text/html", html(`<script type="module">
    import { pages } from "/bypasses.js";
    const errors = window.errors = {};
    for (const [name, way] of Object.entries(pages.${page})) {
      try { way(name)?.catch?.((error) => { errors[name] = String(error); }); } catch (error) { errors[name] = String(error); }
    }
  </script>`)];
}

const browsers = {
  Chromium: async () => {
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", ignoreDefaultArgs: ["--disable-back-forward-cache"], args: [...browserArguments, "--ignore-certificate-errors"] });
    const context = await browser.newContext();
    return { newPage: () => context.newPage(), cookies: () => context.cookies(), clearCookies: () => context.clearCookies(), close: () => browser.close() };
  },
  Firefox: startFirefox,
};

describe("the guard", () => {
  let folder, origin, server, asked = 0, told = [];
  const ports = {}, opened = {};

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    const binary = path.join(folder, "guard");
    execFileSync("go", ["build", "-o", binary, "./e2e/guard"], { cwd: root, stdio: "inherit" });
    for (const name of ["http", "https", "origin"]) ports[name] = await freePort();
    origin = http.createServer((request, response) => {
      const { pathname, search } = new URL(request.url, "http://origin");
      if (pathname.startsWith("/lib/") && !pathname.includes("..")) {
        return response.writeHead(200, { "Content-Type": pathname.endsWith(".css") ? "text/css" : "text/javascript" }).end(readFileSync(path.join(root, "e2e/node_modules", pathname.slice("/lib".length))));
      }
      const [type, body, headers] = answers[pathname]?.(search.slice(1)) ?? ["text/plain", ""];
      response.writeHead(200, { "Content-Type": type, ...headers }).end(body);
    });
    await new Promise((resolve) => origin.listen(ports.origin, "127.0.0.1", resolve));
    server = spawn(binary, [JSON.stringify(sites), ports.http, ports.https, ports.origin], { stdio: ["ignore", "pipe", "inherit"] });
    server.stdout.on("data", (data) => {
      for (const line of String(data).split("\n")) {
        if (line === "asked") asked++;
        if (line.startsWith("told ")) told.push(JSON.parse(line.slice("told ".length)));
      }
    });
    await accepts(ports.https, server);
    await Promise.all(Object.entries(browsers).map(async ([name, launch]) => { opened[name] = await launch(); }));
  });
  after(async () => {
    for (const browser of Object.values(opened)) await browser.close();
    if (server) await end(server);
    origin?.close();
    origin?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  const site = (scheme, label) => `${scheme}://${label}.city.example:${ports[scheme]}`;

  // tries opens the pages of all ways, each on a host of its own, at some of [scheme, label of
  // the site]. It returns for each of these how long the browser kept the cookie of each way,
  // in milliseconds, and what is left.
  async function tries(browser, where) {
    const host = (scheme, label, page) => `${label}-${page.replaceAll("_", "-")}-${scheme}`;
    const results = where.map(() => ({ kept: {}, left: [] }));
    const look = async (take) => {
      for (const { name, value, domain } of await browser.cookies()) {
        const [label, scheme] = [domain.split("-")[0], domain.split(".")[0].split("-").at(-1)];
        const result = results[where.findIndex(([s, l]) => s === scheme && l === label)];
        if (name !== "needed") take(result, name || value); // one without a name
      }
    };
    const first = {};
    let isDone = false;
    const poll = (async () => {
      while (!isDone) {
        const at = Date.now();
        await look((result, name) => {
          const key = results.indexOf(result) + name;
          result.kept[name] = at - (first[key] ??= at);
        });
        await sleep(20);
      }
    })();
    const tabs = [];
    try {
      const urls = where.flatMap(([scheme, label]) => Object.keys(pages).map((page) => site(scheme, host(scheme, label, page)) + `/${page}`));
      await Promise.all(Array.from({ length: 3 }, async () => {
        for (let url; (url = urls.shift()); ) {
          const tab = await browser.newPage();
          tabs.push(tab);
          await tab.goto(url, { waitUntil: "domcontentloaded", timeout: 60_000 });
        }
      }));
      await sleep(patience);
    } finally {
      isDone = true;
      await poll;
    }
    await look((result, name) => result.left.push(name));
    for (const tab of tabs) await tab.close();
    return results;
  }

  test("ways around it", async () => {
    await Promise.all(Object.entries(opened).map(async ([name, browser]) => {
      await browser.clearCookies();
      const [plain, secured, unsecured] = await tries(browser, [["https", "plain"], ["https", "guarded"], ["http", "guarded"]]);
      console.log(`${name}: ${plain.left.length} ways work without the guard`);
      assert.ok(plain.left.length >= 59, plain.left);
      for (const [scheme, { kept, left }] of Object.entries({ https: secured, http: unsecured })) {
        console.log(`${name}, ${scheme}: seen ${JSON.stringify(kept)}, left ${left}`);
        assert.deepEqual(left.filter((way) => way !== hidden), [], `left in ${name} over ${scheme}`);
        assert.deepEqual(Object.keys(kept).filter((way) => way !== hidden && !brief.includes(way)), [], `seen in ${name} over ${scheme}`);
      }
    }));
  });

  for (const [name] of Object.entries(browsers)) {
    // visitor opens tabs of a host, with what they have in common.
    const visitor = (label, scheme = "https") => {
      const tabs = [];
      return {
        async open(page) {
          const tab = await opened[name].newPage();
          tabs.push(tab);
          await tab.goto(site(scheme, label) + page, { waitUntil: "domcontentloaded" });
          return tab;
        },
        cookies: async () => Object.fromEntries((await opened[name].cookies()).filter(({ domain }) => domain.startsWith(label + ".")).map((cookie) => [cookie.name, cookie])),
        async close() {
          for (const tab of tabs) await tab.close();
        },
      };
    };
    // becomes waits until something is so.
    const becomes = async (is, what) => {
      for (let tries = 0; tries < 100; tries++) {
        if (await is()) return;
        await sleep(50);
      }
      assert.fail(what);
    };
    const has = (guest, cookie) => async () => cookie in (await guest.cookies());
    const lacks = (guest, cookie) => async () => !(cookie in (await guest.cookies()));
    // Both run in the page: a tracker that writes its cookie, and a banner that stores an answer.
    const track = (tab) => tab.evaluate(() => { document.cookie = "_pk_id.1.1fff=1; path=/; max-age=99999999; samesite=lax"; });
    const answer = (tab, matomo) => tab.evaluate((matomo) => { document.cookie = `cookies_preferences={"matomo":${matomo}}; path=/; max-age=9999`; }, matomo);

    test(`${name}: answers change while pages live`, async () => {
      const guest = visitor("guarded-answers");
      try {
        const one = await guest.open("/portal");
        await track(one);
        await one.evaluate(() => { document.cookie = "needed=1; path=/; max-age=99999999"; });
        assert.deepEqual(Object.keys(await guest.cookies()), ["needed"]);
        assert.equal(await one.evaluate(() => document.cookie), "needed=1");

        // Granted: what is written in the same turn is held until the server has answered.
        await Promise.all([answer(one, true), track(one)]);
        await becomes(has(guest, "_pk_id.1.1fff"), "granted in the same page");
        const { expires } = (await guest.cookies())["_pk_id.1.1fff"];
        assert.ok(Math.abs(expires - Date.now() / 1000 - 34186698) < 60, "for 13 months");
        assert.deepEqual(await one.evaluate(() => window.told), [{ allowed: { matomo: true } }]);

        // Refused in another tab: it goes, and does not come back.
        const other = await guest.open("/portal");
        assert.match(await other.evaluate(() => document.cookie), /_pk_id/);
        await answer(other, false);
        await becomes(lacks(guest, "_pk_id.1.1fff"), "removed");
        await becomes(() => one.evaluate(() => window.told.at(-1).allowed.matomo === false), "the other tab is told");
        await track(one);
        await track(other);
        await sleep(200);
        assert.deepEqual(Object.keys(await guest.cookies()).sort(), ["cookies_preferences", "needed"]);
      } finally {
        await guest.close();
      }
    });

    test(`${name}: a page that comes back has the answer of now`, async () => {
      const guest = visitor("guarded-back");
      try {
        const tab = await guest.open("/portal");
        await answer(tab, true);
        await track(tab);
        await becomes(has(guest, "_pk_id.1.1fff"), "granted");
        const go = async (script, at) => {
          await tab.evaluate(script).catch(() => {}); // the page goes while it answers
          await becomes(() => tab.evaluate((at) => location.pathname === at && document.readyState === "complete", at).catch(() => false), at);
        };
        await go(`location.assign("/empty")`, "/empty");
        await answer(tab, false);
        await becomes(lacks(guest, "_pk_id.1.1fff"), "removed");
        await go("history.back()", "/portal");
        await track(tab);
        await sleep(300);
        assert.deepEqual(Object.keys(await guest.cookies()), ["cookies_preferences"]);
      } finally {
        await guest.close();
      }
    });

    test(`${name}: an answer that scripts cannot see`, async () => {
      const guest = visitor("guarded-hidden");
      try {
        await guest.open("/grant");
        const tab = await guest.open("/portal");
        const before = asked;
        await track(tab);
        await becomes(has(guest, "_pk_id.1.1fff"), "it is asked for");
        assert.ok(asked - before <= 2, "once by each tab");
      } finally {
        await guest.close();
      }
    });

    test(`${name}: who only monitors stops nothing, and tells names`, async () => {
      const guest = visitor("monitored");
      try {
        const tab = await guest.open("/portal");
        await track(tab);
        await tab.evaluate(() => {
          for (let i = 0; i < 40; i++) document.cookie = `unknown${i}=secret; path=/`;
          document.cookie = `${"x".repeat(65)}=1; path=/`;
        });
        await becomes(async () => Object.keys(await guest.cookies()).length === 42, "all is written");
        await sleep(1500);
        told = [];
        await tab.goto(site("https", "monitored") + "/empty");
        await becomes(() => told.length, "names are told");
        const names = told[0].trim().split("\n");
        assert.equal(names.length, 32);
        assert.equal(new Set(names).size, 32);
        assert.ok(names.every((told) => /^(_pk_id\.1\.1fff|unknown\d+)$/.test(told)), told[0]);
      } finally {
        await guest.close();
      }
    });

    for (const banner of Object.keys(sites).filter((label) => banners[label])) {
      test(`${name}: ${banner}`, async () => {
        const { accept, refuse } = banners[banner];
        for (const [button, isAllowed] of [[accept, true], [refuse, false]]) {
          const guest = visitor(`${banner}-${isAllowed}`);
          try {
            const tab = await guest.open(`/banner?${banner}`);
            await tab.waitForSelector(accept, { state: "visible", visible: true });
            const before = await tab.evaluate(() => document.cookie);
            await becomes(async () => {
              if (await tab.evaluate((before) => document.cookie !== before, before)) return true;
              await tab.evaluate((button) => document.querySelector(button)?.click(), button); // it can be visible before it listens
            }, "answered");
            await track(tab);
            await (isAllowed ? becomes(has(guest, "_pk_id.1.1fff"), "granted in the same page") : sleep(300));
            await tab.reload({ waitUntil: "domcontentloaded" });
            await track(tab);
            await sleep(300);
            assert.equal("_pk_id.1.1fff" in (await guest.cookies()), isAllowed);
          } finally {
            await guest.close();
          }
        }
      });
    }
  }
});
