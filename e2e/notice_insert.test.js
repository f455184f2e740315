// The notice that is put into a portal's pages, in Chromium and Firefox: where it stands,
// that nothing moves for it, by keyboard, without scripts, under a strict policy, and that it
// goes once it is answered.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import puppeteer from "puppeteer-core";
import { startFirefox } from "./firefox.js";
import { browserArguments, buildCaddy, end, follow, freePort, listen, root, runCaddy, screenshots } from "./parts.js";

const browsers = {
  chromium: async () => {
    const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", acceptInsecureCerts: true, args: browserArguments });
    return {
      // Each page is a visitor of its own.
      newPage: async () => (await browser.createBrowserContext()).newPage(),
      close: () => browser.close(),
    };
  },
  firefox: async () => {
    const firefox = await startFirefox();
    return {
      newPage: async () => {
        await firefox.clearCookies();
        return firefox.newPage();
      },
      close: () => firefox.close(),
    };
  },
};

const axe = readFileSync(path.join(root, "e2e/node_modules/axe-core/axe.min.js"), "utf8");

// The portal: a skip link of its own, a head, a form, and a page that is long.
const html = (title) => `<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<base href="/elsewhere/"><style>body { margin: 0; font: 1rem/1.5 sans-serif; color: #222; background: #fff } header, main { padding: 1rem 2rem }</style></head>
<body class="portal"><header><a id="own" href="/explore">Portail</a></header><main id="main"><h1>Jeux de données</h1><p><a href="/explore">Explorer</a></p>${"<p>Un jeu de données ouvert.</p>".repeat(40)}</main></body></html>`;

describe("the notice in a portal's pages", () => {
  let folder, caddy, origin, ports;
  const running = {};

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-notice-"));
    mkdirSync(screenshots, { recursive: true });
    ports = { https: await freePort(), http: await freePort(), origin: await freePort() };
    origin = http.createServer((request, response) => {
      const { pathname } = new URL(request.url, "http://portal");
      const header = { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "public, max-age=600", ETag: '"1"' };
      if (pathname === "/strict") header["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; img-src data:; base-uri 'self'";
      if (pathname === "/latin") header["Content-Type"] = "text/html; charset=iso-8859-1";
      const body = html(pathname);
      if (pathname === "/framing") return response.writeHead(200, header).end(`<!DOCTYPE html><title>a</title><body><iframe src="/explore"></iframe>`);
      if (pathname === "/packed") return response.writeHead(200, { ...header, "Content-Encoding": "gzip" }).end(gzipSync(body));
      response.writeHead(200, header).end(pathname === "/latin" ? Buffer.from(body, "latin1") : body);
    });
    await listen(origin, ports.origin);
    writeFileSync(path.join(folder, "Caddyfile"), `{
      admin off
      persist_config off
      skip_install_trust
      storage file_system ${folder}/storage
      storage_clean_interval off
      http_port ${ports.http}
      https_port ${ports.https}
      auto_https disable_redirects
    }
    https://portal.example {
      bind 127.0.0.1
      tls internal
      cookie_charter {
        preset matomo xiti
        languages fr
        notice manage
      }
      encode
      reverse_proxy 127.0.0.1:${ports.origin}
    }`);
    caddy = await runCaddy(buildCaddy(), path.join(folder, "Caddyfile"), {}, ports.https, ["portal.example"]);
    for (const [name, launch] of Object.entries(browsers)) running[name] = await launch();
  });
  after(async () => {
    for (const browser of Object.values(running)) await browser.close();
    if (caddy) await end(caddy);
    origin?.close();
    origin?.closeAllConnections();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const at = (path) => `https://portal.example:${ports.https}${path}`;
  const has = (page, selector) => page.evaluate((selector) => document.querySelector(selector) !== null, selector);

  // press presses a key, and returns what has the focus then.
  async function press(page, key) {
    await page.keyboard.press(key);
    return page.evaluate(() => {
      const { id, name, value, className, textContent } = document.activeElement;
      return id || (name ? `${name}=${value}` : className || textContent);
    });
  }

  for (const name of Object.keys(browsers)) {
    test(`${name}: first in the page, reached and skipped by keyboard, and gone once answered`, async () => {
      const page = await running[name].newPage();
      await page.setViewport({ width: 1200, height: 800 });
      const address = at("/explore?q=%7B%7Ba%7D%7D&r='%C3%A9'");
      await page.goto(address);
      const place = await page.evaluate(() => {
        const notice = document.querySelector("section.charter-notice");
        const { top, bottom } = notice.getBoundingClientRect();
        return {
          parent: notice.parentElement.className, before: [...document.body.children].slice(0, 2).map(({ tagName }) => tagName),
          top, isInFlow: bottom <= document.querySelector("header").getBoundingClientRect().top,
          mode: document.compatMode, font: getComputedStyle(notice.querySelector("button")).fontWeight,
        };
      });
      assert.deepEqual(place, { parent: "portal", before: ["LINK", "SECTION"], top: 0, isInFlow: true, mode: "CSS1Compat", font: "500" });
      await page.screenshot({ path: path.join(screenshots, `notice-inserted-${name}.png`) });

      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run(document, { rules: { "target-size": { enabled: true } } }));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), []);

      // The first of all leads behind it, to the portal's own first link.
      await page.goto(address);
      const top = () => page.evaluate(() => document.querySelector("header").getBoundingClientRect().top);
      const before = await top();
      assert.equal(await press(page, "Tab"), "charter-notice-skip fr-link");
      assert.equal(await top(), before, "the link moves the page where it shows");
      await page.screenshot({ path: path.join(screenshots, `notice-inserted-${name}-skip.png`) });
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation").length && location.hash), "#charter-notice-end");
      assert.equal(await press(page, "Tab"), "own");

      // And so do the two buttons, one of which leads back.
      await page.goto(address);
      let focused;
      for (let i = 0; i < 9 && focused !== "all=refused"; i++) focused = await press(page, "Tab");
      assert.equal(focused, "all=refused");
      await follow(page, () => page.keyboard.press("Enter"));
      const back = new URL(page.url());
      assert.equal(back.pathname, "/explore");
      assert.equal(decodeURIComponent(back.search), "?q={{a}}&r='é'");
      assert.equal(await has(page, ".charter-notice form"), false);
      assert.match(await page.evaluate(() => document.querySelector(".charter-notice[role=status]").textContent), /^Vos choix sont enregistrés\./);
      await page.screenshot({ path: path.join(screenshots, `notice-inserted-${name}-answered.png`) });

      // What stays is a link at the end, which leads to the page.
      const link = await page.evaluate(() => {
        const { parentElement, textContent, lastElementChild } = document.body.lastElementChild;
        const { height } = lastElementChild.firstElementChild.getBoundingClientRect();
        lastElementChild.scrollIntoView({ block: "end" });
        return [parentElement.className, textContent, lastElementChild.textContent, height >= 16];
      });
      assert.deepEqual(link, ["portal", "Gérer mes cookies", "Gérer mes cookies", true]);
      await page.screenshot({ path: path.join(screenshots, `notice-inserted-${name}-link.png`) });
      await page.evaluate(axe);
      const answered = await page.evaluate(() => axe.run(document, { rules: { "target-size": { enabled: true } } }));
      assert.deepEqual(answered.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), []);
      await follow(page, () => page.click("body > nav.charter-notice:last-child a"));
      assert.equal(new URL(page.url()).pathname, "/terms/cookies-policy/");
      await page.close();
    });

    test(`${name}: nothing moves, whatever the page's encoding, compression and policy, and with no script`, async () => {
      for (const path of ["/explore", "/packed", "/latin", "/strict"]) {
        const page = await running[name].newPage();
        if (path === "/explore") await page.setJavaScriptEnabled?.(false).catch(() => {}); // Firefox has no switch
        await page.goto(at(path));
        const { text, title, weight, shift } = await page.evaluate(() => ({
          text: document.querySelector("section.charter-notice").textContent,
          title: document.querySelector("h1").textContent,
          weight: getComputedStyle(document.querySelector(".charter-notice button")).fontWeight,
          shift: performance.getEntriesByType("layout-shift").length,
        }));
        assert.match(text, /Vous pouvez changer ou retirer votre réponse à tout moment/, path);
        assert.doesNotMatch(text, /Ã|\uFFFD/, path);
        assert.equal(title, "Jeux de données", path);
        assert.equal(weight, "500", `${path}: the style is let in`);
        assert.equal(shift, 0, path);
        await follow(page, () => page.click(".charter-notice button[value=granted]"));
        assert.equal(page.url(), at(path), `${path}: the form is let in, and leads back`);
        assert.equal(await has(page, "section.charter-notice"), false, path);
        const style = await page.evaluate(() => getComputedStyle(document.querySelector("body > nav.charter-notice:last-child p")).textAlign);
        assert.equal(style, "center", `${path}: the link's style is let in`);
        await page.close();
      }
    });

    test(`${name}: not in frames, not in what scripts fetch`, async () => {
      const page = await running[name].newPage();
      await page.goto(at("/framing"));
      assert.deepEqual(await page.evaluate(async () => [
        document.querySelectorAll("section.charter-notice").length,
        document.querySelector("iframe").contentDocument.querySelectorAll(".charter-notice").length,
        (await (await fetch("/explore")).text()).includes("charter-notice"),
      ]), [1, 0, false]);
      await page.goto(at("/explore")); // what was fetched is not shown in its place
      assert.equal(await has(page, "section.charter-notice"), true);
      await page.close();
    });
  }

  test("chromium: nothing moves, as the browser counts", async () => {
    const page = await running.chromium.newPage();
    await page.evaluateOnNewDocument(() => {
      window.shifted = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.shifted += value))).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(at("/packed"), { waitUntil: "networkidle0" });
    assert.equal(await page.evaluate(() => window.shifted), 0);
    await page.close();
  });
});
