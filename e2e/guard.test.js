// A portal behind Caddy with the guard, in Chromium and Firefox, over https and http: ways
// around it, what the browser keeps of each, and how long; answers that change while a page
// lives; pages that are compressed or have policies; what the portal's code and real banners
// do all the same.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { banners, show } from "./banners.js";
import { startFirefox } from "./firefox.js";
import { pages, write } from "./guard/bypasses.js";
import { browserArguments, buildCaddy, end, freePort, listen, root, runCaddy, until } from "./parts.js";

// How long each way has at least, and on a busy machine at most, in milliseconds; and how many
// work where nothing stands in the way.
const patience = 2500, most = 60_000;
const working = 59;

// Ways that are seen for a while, as they are not closed but cleaned up after: code that runs
// before its realm is guarded, or beside the page.
const brief = ["answer", "service_worker", "srcdoc", "srcdoc_parent", "script_url", "script_url_parent", "blob", "blob_parent", "svg", "xhtml", "partitioned", "nameless", "deep"];

// And one that can be left: such code can write a cookie for pages elsewhere, which cannot be
// seen before the visitor goes there.
const hidden = "elsewhere";

// What a page's own script does, and one that the policies of pages forbid.
const trial = `document.cookie = "needed=1; path=/"; document.cookie = "unknown=1; path=/"; document.documentElement.className += " ran"`;
const forbidden = `<script>document.documentElement.className += " forbidden"</script>`;

// Policies of the portal's pages, as they are recommended and as they are strictest.
const hash = `'sha256-${createHash("sha256").update(trial).digest("base64")}'`;
const policies = {
  nonce: "script-src 'nonce-portal' 'strict-dynamic' 'unsafe-inline' https:; object-src 'none'; base-uri 'none'",
  hash: `default-src 'none'; script-src ${hash}`,
  integrity: `script-src ${hash} 'strict-dynamic'; require-trusted-types-for 'script'`,
  nothing: "default-src 'none'",
};

const html = (body) => `<!DOCTYPE html><html lang="en"><title>page</title><body>${body}`;
// The event of a page's guard is kept by what begins so.
const listens = `<script>window.told = []; document.addEventListener("cookie-charter", ({ detail }) => told.push(detail))</script>`;
const answers = {
  "/bypasses.js": () => ["text/javascript", readFileSync(path.join(root, "e2e/guard/bypasses.js"))],
  "/svg": (name) => ["image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><script>document.cookie = "${write(name)}"</script></svg>`],
  "/picture": () => ["image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`],
  "/xhtml": (name) => ["application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>frame</title><script>document.cookie = "${write(name)}"</script></head></html>`],
  "/page": (name) => ["text/html", html(`<script>document.cookie = "${write(name)}"</script>`)],
  "/set": (name) => ["text/plain", "", { "Set-Cookie": write(name) }],
  "/script.js": (name) => ["text/javascript", `document.cookie = "${write(name)}"`],
  "/sw.js": () => ["text/javascript", `onmessage = ({ data }) => cookieStore.set(data, "1")`],
  "/portal": () => ["text/html", html(listens)],
  "/grant": () => ["text/html", html(""), { "Set-Cookie": `cookies_preferences={"matomo":true}; Path=/; HttpOnly` }],
  "/banner": (name) => ["text/html; charset=utf-8", html(listens + show(banners[name]))],
  "/empty": () => ["text/html", html("")],
  "/gzip": () => ["text/html", gzipSync(html(`<script>${trial}</script>${"<p>one of many</p>".repeat(3000)}`)), { "Content-Encoding": "gzip" }],
  "/marked": () => ["text/html", gzipSync(`\uFEFF${html(`<script>${trial}</script>`)}`), { "Content-Encoding": "gzip" }],
  "/page.xhtml": () => ["application/xhtml+xml", gzipSync(`<html xmlns="http://www.w3.org/1999/xhtml"><head><title>page</title><script><![CDATA[${trial}]]></script></head><body/></html>`), { "Content-Encoding": "gzip" }],
  "/policy": (name) => ["text/html", html(`<script nonce="portal">${trial}</script>${forbidden}`), { "Content-Security-Policy": policies[name] }],
  "/integrity": () => ["text/html", html(`<script>${trial}</script>`), { "Integrity-Policy": "blocked-destinations=(script)" }],
  "/picture.gif": () => ["image/gif", ""],
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
  let folder, origin, caddy, called = 0;
  const told = {}; // by host
  const ports = {}, opened = {};

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    for (const name of ["http", "https", "origin"]) ports[name] = await freePort();
    origin = http.createServer((request, response) => {
      const { pathname, search } = new URL(request.url, "http://origin");
      if (request.headers.host.includes(".elsewhere.example")) called++;
      if (request.method === "POST") {
        request.setEncoding("utf8").toArray().then((parts) => (told[request.headers.host.split(".example")[0]] ??= []).push(parts.join("")));
        return response.writeHead(204).end();
      }
      if (pathname.startsWith("/lib/") && !pathname.includes("..")) {
        return response.writeHead(200, { "Content-Type": pathname.endsWith(".css") ? "text/css" : "text/javascript" }).end(readFileSync(path.join(root, "e2e/node_modules", pathname.slice("/lib".length))));
      }
      const [type, body, headers] = answers[pathname]?.(search.slice(1)) ?? ["text/plain", ""];
      response.writeHead(200, { "Content-Type": type, ...headers }).end(body);
    });
    await listen(origin, ports.origin);
    const environment = { STORAGE: folder, HTTP_PORT: ports.http, HTTPS_PORT: ports.https, ORIGIN_PORT: ports.origin };
    const sites = path.join(root, "e2e/guard/Caddyfile");
    const hosts = readFileSync(sites, "utf8").match(/(?<=https:\/\/\*)\.\w+\.example/g).map((host) => "any" + host);
    caddy = await runCaddy(buildCaddy(), sites, environment, ports.https, hosts);
    await Promise.all(Object.entries(browsers).map(async ([name, launch]) => { opened[name] = await launch(); }));
  });
  after(async () => {
    for (const browser of Object.values(opened)) await browser.close();
    if (caddy) await end(caddy);
    origin?.close();
    origin?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  const site = (scheme, host) => `${scheme}://${host}.example:${ports[scheme]}`;

  // tries opens the pages of all ways, each on a host of its own, at some of [scheme, the
  // charter's label]. It returns for each of these how long the browser kept the cookie of each way,
  // in milliseconds, and what is left.
  async function tries(browser, where) {
    const host = (scheme, label, page) => `${page.replaceAll("_", "-")}-${scheme}.${label}`;
    const results = where.map(() => ({ kept: {}, left: [] }));
    const isAsExpected = ({ left }, i) => (where[i][1] === "plain" ? left.length >= working : left.every((way) => way === hidden));
    const look = async (take) => {
      for (const { name, value, domain } of await browser.cookies()) {
        const [, scheme, label] = /(\w+)\.(\w+)\.example$/.exec(domain);
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
      for (const end = Date.now() + most; ; await sleep(500)) {
        for (const result of results) result.left = [];
        await look((result, name) => result.left.push(name));
        if (results.every(isAsExpected) || Date.now() > end) break;
      }
    } finally {
      isDone = true;
      await poll;
    }
    for (const tab of tabs) await tab.close();
    return results;
  }

  test("ways around it", async () => {
    await Promise.all(Object.entries(opened).map(async ([name, browser]) => {
      await browser.clearCookies();
      const [plain, secured, unsecured] = await tries(browser, [["https", "plain"], ["https", "guarded"], ["http", "guarded"]]);
      console.log(`${name}: ${plain.left.length} ways work without the guard`);
      assert.ok(plain.left.length >= working, plain.left.join());
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
    const becomes = (is, what) => until(is, () => what);
    // passes lets time pass by a page's own clock: what was due there before has come by then.
    const passes = (tab, milliseconds) => tab.evaluate((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)), milliseconds);
    const has = (guest, cookie) => async () => cookie in (await guest.cookies());
    const lacks = (guest, cookie) => async () => !(cookie in (await guest.cookies()));
    // Each runs in the page: a tracker that writes its cookie, and a banner that stores an answer.
    // Chromium has stored what a script writes once the script reads.
    const put = (tab, line) => tab.evaluate((line) => { document.cookie = line; return document.cookie; }, line);
    const track = (tab) => put(tab, "_pk_id.1.1fff=1; path=/; max-age=99999999; samesite=lax");
    const answer = (tab, matomo) => put(tab, `cookies_preferences={"matomo":${matomo}}; path=/; max-age=9999`);

    test(`${name}: answers change while pages live`, async () => {
      const guest = visitor("answers.guarded");
      try {
        const one = await guest.open("/portal");
        await track(one);
        await put(one, "needed=1; path=/; max-age=99999999");
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
      const guest = visitor("back.guarded");
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
        await becomes(() => tab.evaluate(() => window.told.at(-1)?.allowed.matomo !== true), "the page is told, if it is not a new one");
        assert.deepEqual(Object.keys(await guest.cookies()), ["cookies_preferences"]);
      } finally {
        await guest.close();
      }
    });

    test(`${name}: an answer that scripts cannot see`, async () => {
      const guest = visitor("hidden.guarded");
      try {
        await guest.open("/grant");
        const tab = await guest.open("/portal");
        let asked = 0;
        tab.on("request", (request) => { asked += request.url().includes("/guard?"); });
        await track(tab);
        await becomes(has(guest, "_pk_id.1.1fff"), "it is asked for");
        assert.ok(asked <= 2, "once by each tab");
      } finally {
        await guest.close();
      }
    });

    test(`${name}: who only monitors stops nothing, and tells names`, async () => {
      const host = `names-${name.toLowerCase()}.monitored`, guest = visitor(host);
      try {
        const tab = await guest.open("/portal");
        const isWritten = await tab.evaluate(() => {
          for (let i = 0; i < 40; i++) {
            localStorage.setItem("item" + "i".repeat(i), "secret");
            document.cookie = `unknown${i}=secret; path=/`;
          }
          document.cookie = `${"x".repeat(65)}=1; path=/`;
          document.cookie = "_pk_id.1.1fff=1; path=/";
          return document.cookie.includes("_pk_id.1.1fff=1");
        });
        assert.ok(isWritten); // for as long as the portal is asked nothing, which removes what is refused
        await becomes(async () => Object.keys(await guest.cookies()).filter((name) => /^(unknown|x)/.test(name)).length === 41, "all is written");
        await passes(tab, 2000); // the guard looks every second
        await tab.evaluate(() => {
          Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
          for (let i = 0; i < 2; i++) document.dispatchEvent(new Event("visibilitychange"));
        });
        await becomes(() => told[host], "names are told");
        await tab.goto(site("https", host) + "/empty");
        await sleep(500);
        assert.equal(told[host].length, 1); // each name once, and nothing after the last
        const [names] = told[host].map((lines) => lines.trim().split("\n"));
        assert.equal(names.length, 64);
        assert.equal(new Set(names).size, 64);
        // As many cookies as items, whichever there are more of.
        assert.equal(names.filter((told) => /^@itemi*$/.test(told)).length, 32, names);
        assert.equal(names.filter((told) => /^(_pk_id\.1\.1fff|unknown\d+)$/.test(told)).length, 32, names);
      } finally {
        await guest.close();
      }
    });

    test(`${name}: who only monitors tells what is stored, without what can be somebody's`, async () => {
      const hosts = ["guarded", "monitored"].map((label) => `items-${name.toLowerCase()}.${label}`), guests = hosts.map((host) => visitor(host));
      const uuid = "0b5c9d1e-7a43-4c6f-9b1d-3f2a8e6c7d10", hash = "9f86d081884c7d659a2feaa0c55ad015", random = "aBcDeFgHiJkLmNoPqRsTuVwX1";
      // What the real code of services.js stores, and how that is told.
      const real = {
        AMP_PAGE_VIEW: "AMP_PAGE_VIEW", AMP_URL_INFO: "AMP_URL_INFO", AMP_unsent_0123456789: "AMP_unsent_*", AMP_remote_config_0123456789: "AMP_remote_config_*", AMP_diagnostics_0123456789: "AMP_diagnostics_*",
        ph_phc_portal_posthog: "ph_phc_portal_posthog", ph_phc_portal_window_id: "ph_phc_portal_window_id", ph_phc_portal_primary_window_exists: "ph_phc_portal_primary_window_exists", ph_phc_portal_session_registered_properties: "ph_phc_portal_session_registered_properties",
        mp_tab_id_mixpanel_portal: "mp_tab_id_mixpanel_portal", mp_gen_new_tab_id_mixpanel_portal: "mp_gen_new_tab_id_mixpanel_portal", mixpanelFlagsDb: "mixpanelFlagsDb",
      };
      const keys = {
        local: [
          ...Object.keys(real), "_pk_id.1.1fff", "base64", "i18nextLng", "kc-callback-" + uuid, `mp_tab_id_mixpanel_${hash}`, "oidc." + hash, `oidc.${hash.slice(0, 5)}`, "panel1", "panel23", "panel456",
          "tel_06-12-34-56-78", "ne_le_01-02-85", "uid42", "jean.dupont75", "MARTIN75", "session-V1StGXR8_Z5jdHi6B-myT", "s-dQw4w9WgXcQ", "t-dQwwWgXc",
          `ph_phc_${random}_posthog`, "shop.k3x9a1m2z8q", "same", uuid, "4711", "someone@city.example", "a:b", "a b", "é", "{}", "", "@x", "y".repeat(65), "z".repeat(64), "cut-" + "w".repeat(99) + "123",
        ],
        session: ["same", "tab", "cafebabe1"],
      };
      const want = [
        ...Object.values(real), "_pk_id.*", "base*", "jean.*", "kc-callback-*", "mp_tab_id_mixpanel_*", "ne_le_*", "oidc.*", "panel*", "ph_phc_*", "s-*", "same", "session-*", "shop.*", "t-*", "tab", "tel_*", "uid*", "z".repeat(64),
      ];
      try {
        for (const guest of guests) {
          const tab = await guest.open("/portal");
          const leave = () => tab.evaluate(() => {
            Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
          });
          const there = () => tab.evaluate(async () => [Object.keys(localStorage), Object.keys(sessionStorage), (await indexedDB.databases()).map(({ name }) => name)].map((list) => list.sort()));
          await tab.evaluate(async ({ local, session }) => {
            for (const key of local) localStorage.setItem(key, "secret");
            for (const key of session) sessionStorage.setItem(key, "secret");
            await new Promise((resolve) => { indexedDB.open("mixpanelBrowserDb").onsuccess = resolve; });
          }, keys);
          const before = await there();
          await leave();
          if (guest === guests[1]) {
            await becomes(() => told[hosts[1]], "items are told");
            // What is listed late is told at another time.
            await becomes(async () => {
              await leave();
              return told[hosts[1]].length > 1;
            }, "databases are told");
          }
          assert.deepEqual(await there(), before, "nothing is removed");
          assert.deepEqual(before, [[...keys.local].sort(), [...keys.session].sort(), ["mixpanelBrowserDb"]], "nor kept from being written");
        }
        assert.deepEqual(told[hosts[1]].map((lines) => lines.trim().split("\n").sort()), [want.map((key) => "@" + key).sort(), ["@mixpanelBrowserDb"]]);
        assert.equal(told[hosts[0]], undefined);
      } finally {
        for (const guest of guests) await guest.close();
      }
    });

    test(`${name}: pages that are compressed, are XHTML, or have policies`, async () => {
      for (const [page, runs] of Object.entries({ "/gzip": true, "/marked": true, "/page.xhtml": true, "/integrity": true, "/policy?nonce": true, "/policy?hash": true, "/policy?integrity": true, "/policy?nothing": false })) {
        const guest = visitor(`${page.replace(/\W+/g, "")}.guarded`);
        try {
          const tab = await guest.open(page);
          assert.equal(await tab.evaluate(() => document.compatMode), "CSS1Compat", page);
          assert.equal(await tab.evaluate(() => document.documentElement.className), runs ? " ran" : "", page);
          await track(tab);
          assert.deepEqual(Object.keys(await guest.cookies()), runs ? ["needed"] : [], page);
          await answer(tab, true);
          await track(tab);
          await becomes(has(guest, "_pk_id.1.1fff"), `${page} may ask`);
        } finally {
          await guest.close();
        }
      }
    });

    test(`${name}: beside a policy of hosts`, async () => {
      const guest = visitor("hosts.kept");
      // A picture of another host is there, or not.
      const shows = (tab) => tab.evaluate((src) => new Promise((resolve) => {
        const picture = new Image();
        picture.onload = picture.onerror = () => resolve();
        picture.src = src;
      }), site("https", "stats.elsewhere") + "/picture.gif");
      try {
        const tab = await guest.open("/portal");
        called = 0;
        await shows(tab);
        await track(tab);
        assert.deepEqual([called, Object.keys(await guest.cookies())], [0, []]);
        await answer(tab, true);
        await track(tab);
        await becomes(has(guest, "_pk_id.1.1fff"), "granted in the same page");
        await shows(tab);
        assert.equal(called, 0, "the page keeps its policy");
        await tab.reload({ waitUntil: "domcontentloaded" });
        await shows(tab);
        assert.equal(called, 1, "called by the next");
        await answer(tab, false);
        await becomes(lacks(guest, "_pk_id.1.1fff"), "removed");
        await tab.reload({ waitUntil: "domcontentloaded" });
        await shows(tab);
        await track(tab);
        assert.deepEqual([called, Object.keys(await guest.cookies())], [1, ["cookies_preferences"]]);
      } finally {
        await guest.close();
      }
    });

    test(`${name}: the charter's own notice`, async () => {
      for (const isAllowed of [true, false]) {
        const guest = visitor(`${isAllowed}.notice`);
        try {
          const [other, tab] = [await guest.open("/portal"), await guest.open("/portal")];
          for (const page of [other, tab]) await track(page);
          const answered = tab.waitForSelector(".charter-notice[role=status]");
          await tab.click(`.charter-notice button[value=${isAllowed ? "granted" : "refused"}]`);
          await answered;
          assert.equal(await tab.evaluate(() => location.pathname), "/portal", "it leads back");
          // The page that was there before, and was not loaded anew, knows.
          await becomes(() => other.evaluate((isAllowed) => window.told.at(-1)?.allowed.matomo === isAllowed, isAllowed), "the other tab is told");
          assert.deepEqual(Object.keys(await guest.cookies()), ["__Host-charter_preference"]);
          await track(other);
          await (isAllowed ? becomes(has(guest, "_pk_id.1.1fff"), "granted in the same page") : sleep(300));
          await put(tab, "_pk_ses.1.1fff=1; path=/");
          await (isAllowed ? becomes(has(guest, "_pk_ses.1.1fff"), "granted in the page that asked") : sleep(300));
          assert.deepEqual(Object.keys(await guest.cookies()).sort(), isAllowed ? ["__Host-charter_preference", "_pk_id.1.1fff", "_pk_ses.1.1fff"] : ["__Host-charter_preference"]);
        } finally {
          await guest.close();
        }
      }
    });

    for (const banner of ["tarteaucitron", "klaro", "cookieconsent"]) {
      test(`${name}: ${banner}`, async () => {
        const { accept, refuse } = banners[banner];
        for (const [button, isAllowed] of [[accept, true], [refuse, false]]) {
          const guest = visitor(`${isAllowed}.${banner}`);
          try {
            const tab = await guest.open(`/banner?${banner}`);
            await tab.waitForSelector(accept, { state: "visible", visible: true });
            const before = await tab.evaluate(() => document.cookie);
            await becomes(() => tab.evaluate(([button, before, isAllowed]) => {
              const found = document.querySelector(button);
              if (found?.checkVisibility()) found.click(); // it can be visible before it listens
              return document.cookie !== before && window.told.at(-1)?.allowed.matomo === isAllowed;
            }, [button, before, isAllowed]), "answered");
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
