// The real banners, at the versions in package.json, store their answers in
// Chromium, and the verdicts follow: nothing clicked, accepted, refused.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { root, start } from "./parts.js";

const tracker = "_pk_id.1.1fff";

const klaro = (storage) => ({
  before: `var klaroConfig = { storageMethod: "${storage}", storageName: "klaro", lang: "en", acceptAll: true,
      translations: { zz: { privacyPolicyUrl: "/" } }, services: [{ name: "measure", title: "Measure", purposes: ["analytics"] }] };`,
  script: "klaro/dist/klaro.js",
  accept: ".cm-btn-success",
  refuse: ".cn-decline",
});

const cookieconsent = (useLocalStorage) => ({
  script: "vanilla-cookieconsent/dist/cookieconsent.umd.js",
  run: `CookieConsent.run({
      hideFromBots: false,
      cookie: { useLocalStorage: ${useLocalStorage} },
      categories: { necessary: { enabled: true, readOnly: true }, analytics: {} },
      language: { default: "en", translations: { en: {
        consentModal: { title: "Cookies", acceptAllBtn: "Accept", acceptNecessaryBtn: "Refuse" },
        preferencesModal: { sections: [] } } } } });`,
  accept: "button[data-role=all]",
  refuse: "button[data-role=necessary]",
});

// Of each banner: its script, what starts it, and its two buttons. Those that
// are called -storage keep their answers in local storage.
const banners = {
  tarteaucitron: {
    script: "tarteaucitronjs/tarteaucitron.js",
    run: `tarteaucitron.init({ hashtag: "#banner", highPrivacy: true, AcceptAllCta: true, DenyAllCta: true, orientation: "bottom", mandatory: false });
      tarteaucitron.services.measure = { key: "measure", type: "analytic", name: "Measure", needConsent: true, cookies: [], js() {}, fallback() {} };
      (tarteaucitron.job = tarteaucitron.job || []).push("measure");`,
    accept: "#tarteaucitronPersonalize2",
    refuse: "#tarteaucitronAllDenied2",
  },
  cookieconsent: cookieconsent(false),
  "cookieconsent-storage": cookieconsent(true),
  cookieconsent2: {
    style: "cookieconsent2/dist/cookieconsent.css",
    script: "cookieconsent2/dist/cookieconsent.js",
    run: `initCookieConsent().run({ current_lang: "en", hide_from_bots: false, autorun: true, languages: { en: {
      consent_modal: { title: "Cookies", description: "", primary_btn: { text: "Accept", role: "accept_all" }, secondary_btn: { text: "Refuse", role: "accept_necessary" } },
      settings_modal: { title: "", save_settings_btn: "", accept_all_btn: "", reject_all_btn: "", blocks: [
        { title: "necessary", description: "", toggle: { value: "necessary", enabled: true, readonly: true } },
        { title: "analytics", description: "", toggle: { value: "analytics", enabled: false, readonly: false } } ] } } } });`,
    accept: "#c-p-bn",
    refuse: "#c-s-bn",
  },
  klaro: klaro("cookie"),
  "klaro-storage": klaro("localStorage"),
  orejime: {
    before: `window.orejimeConfig = { privacyPolicyUrl: "/", purposes: [{ id: "measure", title: "Measure", cookies: [] }] };`,
    script: "orejime/dist/orejime-standard-en.js",
    accept: "[data-testid=orejime-banner-accept]",
    refuse: "[data-testid=orejime-banner-decline]",
  },
  orejime2: {
    before: `window.orejimeConfig = { elementID: "orejime", cookieName: "orejime", lang: "en", privacyPolicy: "/", logo: false,
      translations: { en: { consentModal: { description: "" }, measure: { description: "" }, purposes: { analytics: "Analytics" } } },
      apps: [{ name: "measure", title: "Measure", purposes: ["analytics"] }] };`,
    script: "orejime2/dist/orejime.js",
    accept: ".orejime-Notice-saveButton",
    refuse: ".orejime-Notice-declineButton",
  },
  osano: {
    script: "cookieconsent/build/cookieconsent.min.js",
    run: `cookieconsent.initialise({ type: "opt-in" });`,
    accept: ".cc-allow",
    refuse: ".cc-deny",
  },
  // A headless one: the page brings the buttons.
  c15t: {
    html: `<script type="importmap">{ "imports": {
      "c15t": "/lib/c15t/dist/index.js",
      "zustand/vanilla": "/lib/c15t/node_modules/zustand/esm/vanilla.mjs",
      "@c15t/translations": "/lib/@c15t/translations/dist/index.js",
      "@c15t/schema/types": "/lib/@c15t/schema/dist/types.js" } }</script>
      <script type="module">
        import { getOrCreateConsentRuntime } from "c15t";
        const { consentStore } = getOrCreateConsentRuntime({ mode: "offline", consentCategories: ["necessary", "measurement"] });
        for (const choice of ["all", "necessary"]) {
          const button = document.createElement("button");
          button.textContent = button.id = choice;
          button.addEventListener("click", () => consentStore.getState().saveConsents(choice));
          document.body.append(button);
        }
      </script>`,
    accept: "#all",
    refuse: "#necessary",
  },
};

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
          ${banner.style ? `<link rel="stylesheet" href="/lib/${banner.style}">` : ""}
          <body><h1>${name}</h1>${pathname === "/reloads" ? reloads : ""}<script nonce="test">${banner.before ?? ""}</script>
          ${banner.script ? `<script src="/lib/${banner.script}"></script>` : ""}
          <script nonce="test">${banner.run ?? ""}</script>${banner.html ?? ""}
          ${name.endsWith("-storage") ? `<script src="/terms/cookies-policy/local_storage.js" defer></script>` : ""}`);
      }
    });
    await new Promise((resolve) => origin.listen(parts.ports.ORIGIN_PORT, "127.0.0.1", resolve));
  });
  after(async () => {
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
  });

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
      const before = await page.evaluate(() => document.cookie);
      // A banner can be visible before it listens.
      for (let tries = 0; tries < 20; tries++) {
        await page.click(button);
        const answered = page.waitForFunction((before) => document.cookie !== before, before, { timeout: 1000 });
        if (await answered.then(() => true, () => false)) break;
      }
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
    for (let tries = 0; tries < 20 && loads === 1; tries++) {
      await page.click(accept, { timeout: 1000 }).catch(() => {}); // it may have gone by then
      await sleep(500);
    }
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
