// The charter page as people meet it: in every language and state, with axe-core,
// on narrow screens, by keyboard, without JavaScript, in print.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { follow, pictures, root, screenshots, start } from "./parts.js";

const languages = ["ar", "ca", "de", "en", "es", "eu", "fr", "it", "nl", "pt", "sv"];
const pagePath = "/terms/cookies-policy/";
const axe = readFileSync(path.join(root, "e2e/node_modules/axe-core/axe.min.js"), "utf8");

// The states of the page: a site, and what the visitor has done before.
const states = {
  unanswered: { site: "charter" },
  answered: { site: "charter", answer: "granted" },
  necessary: { site: "necessary" },
  elsewhere: { site: "asks-itself" },
  dsfr: { site: "dsfr", answer: "refused" },
};

describe("the charter page", () => {
  let parts;
  before(async () => {
    parts = await start();
  });
  after(() => parts?.stop());

  const at = (site) => `http://${site}.example:${parts.ports.PAGE_PORT}`;

  // open brings a new browser into a state, and shows the page.
  async function open({ site, answer }, language, options = {}) {
    const context = await parts.browser.newContext({ locale: "en-GB", viewport: { width: 1200, height: 900 }, ...options });
    const page = await context.newPage();
    await page.goto(at(site) + "/");
    await context.addCookies([{ name: "_fbp", value: "1", url: at(site) }]);
    await page.goto(`${at(site)}${pagePath}?flg=${language}`);
    if (answer) await follow(page, () => page.click(`button[name=all][value=${answer}]`));
    return { context, page };
  }

  async function violations(page, part = ":root") {
    await page.evaluate(axe);
    const { violations } = await page.evaluate((part) => axe.run(part, { rules: { "target-size": { enabled: true } } }), part);
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join(" ")}`);
  }
  const overflows = (page) => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

  for (const [name, state] of Object.entries(states)) {
    test(`axe-core finds nothing: ${name}`, async () => {
      for (const language of languages) {
        const { context, page } = await open(state, language);
        assert.equal(await page.getAttribute("html", "lang"), language);
        assert.equal(await page.getAttribute("html", "dir"), language === "ar" ? "rtl" : "ltr");
        assert.equal(await page.locator("[role=status]").count(), state.answer ? 1 : 0);
        assert.deepEqual(await violations(page), [], language);
        await page.setViewportSize({ width: 320, height: 640 });
        assert.equal(await overflows(page), false, `${language} scrolls at 320 px`);
        await context.close();
      }
    });
  }

  test("axe-core finds nothing: dark, with forced colours, on narrow screens", async () => {
    for (const name of ["answered", "dsfr"]) {
      for (const options of [{ colorScheme: "dark" }, { forcedColors: "active" }, { viewport: { width: 320, height: 640 } }]) {
        for (const language of ["fr", "ar"]) {
          const { context, page } = await open(states[name], language, options);
          assert.deepEqual(await violations(page), [], `${name} ${language} ${JSON.stringify(options)}`);
          await context.close();
        }
      }
    }
  });

  test("axe-core finds nothing: what the page refuses", async () => {
    for (const site of ["charter", "dsfr"]) {
      for (const language of languages) {
        const context = await parts.browser.newContext({ viewport: { width: 320, height: 640 } });
        const page = await context.newPage();
        const response = await page.goto(`${at(site)}${pagePath.slice(0, -1)}?format=none&flg=${language}`);
        assert.equal(response.status(), 400);
        assert.equal(await page.getAttribute("html", "lang"), language);
        assert.deepEqual(await violations(page), [], `${site} ${language}`);
        assert.equal(await overflows(page), false, `${language} scrolls at 320 px`);
        assert.notEqual(await page.evaluate(() => getComputedStyle(document.querySelector(".charter")).paddingLeft), "0px", "it has no style");
        await follow(page, () => page.click("main a"));
        assert.equal(await page.getAttribute("html", "lang"), language);
        assert.equal(await page.locator("#choices").count(), 1, "the link does not lead to the page");
        await context.close();
      }
    }
  });

  test("what a form has not shown is not granted, and the page says so", async () => {
    const { context, page } = await open(states.unanswered, "en");
    await page.evaluate(() => document.querySelectorAll("[name=asked]").forEach((field) => (field.value = field.value.replace(/^[0-9a-f]+/, "00000000"))));
    await follow(page, () => page.click("button[name=all][value=granted]"));
    assert.match(await page.textContent("[role=status]"), /^Only part of your choices has been saved/);
    assert.equal(await page.locator("input[value=granted]:checked").count(), (await page.locator("input[value=granted]").count()) - 1);
    assert.deepEqual(await violations(page), []);
    await context.close();
  });

  test("twice as large, nothing is cut off", async () => {
    const { context, page } = await open(states.answered, "de", { viewport: { width: 640, height: 480 }, deviceScaleFactor: 2 });
    assert.equal(await overflows(page), false);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
    assert.equal(await overflows(page), false);
    await context.close();
  });

  test("on no screen do the columns break a name", async () => {
    for (const name of ["necessary", "dsfr"]) {
      const { context, page } = await open(states[name], "fr");
      for (const width of [320, 600, 769, 900, 960, 961, 1024, 1200]) {
        await page.setViewportSize({ width, height: 640 });
        const broken = await page.evaluate(() =>
          [...document.querySelectorAll(".charter-table :is(bdi, code)")]
            .filter((part) => ["Opendatasoft", "cookies_preferences"].includes(part.textContent) && part.getClientRects().length > 1)
            .map((part) => part.textContent),
        );
        assert.deepEqual(broken, [], `${name} at ${width} px`);
      }
      await context.close();
    }
  });

  test("by keyboard alone", async () => {
    const { context, page } = await open(states.unanswered, "en");
    const focused = () =>
      page.evaluate(() => {
        const { name, value, textContent, wasSeen } = document.activeElement;
        document.activeElement.wasSeen = true; // two links can have the same words
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        return { what: name ? `${name}=${value}` : textContent.trim(), isVisible: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, wasSeen };
      });
    const seen = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const { what, isVisible, wasSeen } = await focused();
      if (what === "" || wasSeen) break;
      assert.ok(isVisible, `no focus is seen on ${what}`);
      seen.push(what);
      if (what === "answer.matomo=granted") {
        await page.keyboard.press("ArrowRight");
        assert.equal((await focused()).what, "answer.matomo=refused");
      } else if (what === "answer.ga=granted") {
        await page.keyboard.press("Space");
      } else if (what === "Save my choices") {
        break;
      }
    }
    for (const what of ["Back to the portal", "English", "answer.third_party=granted", "answer.statistics=granted"]) assert.ok(seen.includes(what), `${what} is not reached`);
    await follow(page, () => page.keyboard.press("Enter"));
    assert.equal(await page.locator("input[name='answer.matomo'][value=refused]:checked").count(), 1);
    assert.equal(await page.locator("input[name='answer.ga'][value=granted]:checked").count(), 1);
    assert.equal(await page.locator("input:checked").count(), 2);
    assert.match(await page.title(), /^Your choices have been saved\./);
    await context.close();
  });

  test("without JavaScript, and without requests to others", async () => {
    const { context, page } = await open(states.unanswered, "en", { javaScriptEnabled: false });
    const hosts = new Set();
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    await follow(page, () => page.click("button[name=all][value=granted]"));
    assert.equal(await page.textContent("[role=status]"), "Your choices have been saved.");
    await follow(page, () => page.click("a[hreflang=fr]"));
    assert.equal(await page.textContent("[role=status]"), "Vos choix sont enregistrés.");
    assert.deepEqual([...hosts], [new URL(page.url()).host]);
    await context.close();
  });

  test("the visitor's own cookies", async () => {
    const { context, page } = await open(states.unanswered, "en");
    const rows = await page.locator("section:has(h2:text('The cookies of your browser')) tbody tr").allTextContents();
    const row = (name) => rows.find((text) => text.includes(name))?.replaceAll(/\s+/g, " ");
    assert.match(row("sessionid"), /Remember the user from page to page, for instance to keep them signed in\. sessionid It reaches the portal\./);
    assert.match(row("_fbp"), /Not declared _fbp It does not reach the portal\. It stays in your browser/);
    assert.equal(rows.length, 2);
    await context.close();
  });

  test("the notice in the portal's pages", async () => {
    const context = await parts.browser.newContext({ locale: "fr-FR" });
    const page = await context.newPage();
    const url = at("charter") + "/explore?q=%7B%7B1%7D%7D&b=é";
    await page.goto(url);
    const [accept, refuse] = await Promise.all((await page.locator(".charter-notice button").all()).map((button) => button.boundingBox()));
    assert.deepEqual([accept.y, accept.height, accept.width], [refuse.y, refuse.height, refuse.width]);
    assert.deepEqual(await violations(page), []);
    // Dark is the notice where the portal's page is, and only there.
    const background = () => page.locator(".charter-notice").evaluate((notice) => getComputedStyle(notice).backgroundColor);
    const light = await background();
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await background(), light);
    await page.evaluate(() => (document.documentElement.style.colorScheme = "light dark"));
    assert.notEqual(await background(), light);
    assert.deepEqual(await violations(page, ".charter-notice"), []);
    await page.emulateMedia({ colorScheme: "light" });
    assert.equal(await background(), light);
    await page.setViewportSize({ width: 1000, height: 600 });
    await page.locator(".charter-notice").screenshot({ path: path.join(pictures, "notice.png") });
    const isHeld = async () => (await context.cookies()).some(({ name }) => name.startsWith("_pk_id"));
    assert.equal(await isHeld(), false);
    await follow(page, () => page.click(".charter-notice button[value=granted]"));
    assert.equal(page.url(), new URL(url).href);
    assert.equal(await page.locator("section.charter-notice").count(), 0);
    assert.match(await page.locator(".charter-notice[role=status]").textContent(), /^Vos choix sont enregistrés\./);
    assert.deepEqual(await violations(page), []);
    assert.equal(await isHeld(), true);
    await context.close();
  });

  test("the notice pasted into a page that takes HTML alone", async () => {
    const exported = await parts.command("export", path.join(root, "e2e/Caddyfile"), "--format", "notice", "--language", "fr", "--site", at("pasted"));
    assert.equal(exported.status, 0, exported.stderr);
    writeFileSync(path.join(parts.storage, "about.html"), `<!DOCTYPE html>\n<html lang="fr">\n<meta charset="utf-8">\n<title>Portail</title>\n<main>\n<h1>Portail</h1>\n${exported.stdout}\n</main>\n`);
    for (const [value, stored] of [["granted", "accepté"], ["refused", "refusé"]]) {
      const context = await parts.browser.newContext({ locale: "en-GB", javaScriptEnabled: false });
      const page = await context.newPage();
      const shown = await page.goto(at("pasted") + "/about.html");
      assert.equal(shown.headers()["content-security-policy"], "default-src 'none'; form-action 'self'");
      await follow(page, () => page.click(`button[value=${value}]`));
      assert.equal(await page.textContent("[role=status]"), "Vos choix sont enregistrés.");
      assert.match(await page.textContent("[id='stored.matomo']"), new RegExp(stored));
      await context.close();
    }
    const context = await parts.browser.newContext({ bypassCSP: true });
    const page = await context.newPage();
    await page.goto(at("pasted") + "/about.html");
    assert.deepEqual(await violations(page), []);
    const [accept, refuse] = await Promise.all((await page.locator(".charter-notice button").all()).map((button) => button.boundingBox()));
    assert.deepEqual([accept.y, accept.height], [refuse.y, refuse.height]);
    await page.screenshot({ path: path.join(screenshots, "pasted.png") });
    await context.close();
  });

  test("what is exported keeps to the schema", async () => {
    const { context, page } = await open(states.unanswered, "en");
    const shown = await page.locator("section:nth-of-type(4) tbody th code").allTextContents();
    await page.goto(at("charter") + "/"); // the page itself lets nothing be fetched
    const fetched = (query, headers) => page.evaluate(async ([url, headers]) => (await fetch(url, { headers })).json(), [pagePath + query, headers]);
    const ajv = new Ajv({ allErrors: true });
    addFormats(ajv);
    const validate = ajv.compile(await fetched("charter.schema.json"));
    for (const charter of [await fetched("?format=json"), await fetched("", { Accept: "application/json" })]) {
      assert.ok(validate(charter), ajv.errorsText(validate.errors));
      assert.ok(charter.cookies.length > 10);
      assert.deepEqual(charter.cookies.flatMap(({ name }) => name).sort(), shown.sort());
      assert.ok(!validate({ ...charter, cookies: [{ ...charter.cookies[0], categry: "x" }] }));
    }
    await context.close();
  });

  test("in print", async () => {
    const { context, page } = await open(states.answered, "fr");
    await page.emulateMedia({ media: "print" });
    for (const hidden of [".charter-skip", ".charter-languages", ".charter-answer", ".charter-buttons", ".charter-exports"]) {
      for (const element of await page.locator(hidden).all()) assert.equal(await element.isVisible(), false, hidden);
    }
    assert.ok(await page.locator("#rows-0").isVisible());
    assert.ok(await page.locator("[id='stored.matomo']", { hasText: "accepté" }).isVisible());
    // As wide as paper, of which five columns take no more, and are no list.
    await page.setViewportSize({ width: 680, height: 900 });
    assert.equal(await overflows(page), false);
    assert.equal(await page.locator("thead").first().evaluate((head) => getComputedStyle(head).display), "table-header-group");
    // A hamza above the first letter of a heading is not left on the page before.
    assert.ok((await page.locator("h2").first().evaluate((heading) => parseFloat(getComputedStyle(heading).paddingTop))) > 0);
    const pdf = await page.pdf({ path: path.join(screenshots, "charter-fr.pdf"), format: "A4" });
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
    await context.close();
  });

  test("screenshots", async () => {
    for (const [name, language, options] of [
      ["unanswered", "fr", {}],
      ["unanswered", "ar", {}],
      ["answered", "en", { colorScheme: "dark" }],
      ["answered", "fr", { forcedColors: "active" }],
      ["dsfr", "fr", {}],
    ]) {
      const { context, page } = await open(states[name], language, options);
      for (const width of [320, 768, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        await page.screenshot({ path: path.join(screenshots, `page-${name}-${language}-${Object.values(options)[0] ?? "light"}-${width}.png`), fullPage: true });
      }
      await context.close();
    }
    for (const [name, state, language, options] of [
      ["page", "unanswered", "fr", {}],
      ["page-dsfr", "dsfr", "fr", {}],
      ["page-dark", "answered", "ar", { colorScheme: "dark" }],
    ]) {
      const { context, page } = await open(states[state], language, options);
      await page.setViewportSize({ width: 1280, height: 1000 });
      await page.screenshot({ path: path.join(pictures, `${name}.png`) });
      if (name === "page") {
        await page.evaluate(() => document.querySelector("#choices").scrollIntoView());
        await page.screenshot({ path: path.join(pictures, "choices.png") });
      }
      await context.close();
    }
  });
});
