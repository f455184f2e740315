// A visitor with a real browser uses a real Django portal through the charter.
// After each step the next request's raw Cookie header carries exactly the
// cookies that the charter allows, and the portal still works.
import assert from "node:assert/strict";
import http from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { follow, listen, screenshots, start } from "./parts.js";

describe("a visitor of the portal", () => {
  let parts, page;

  before(async () => {
    parts = await start();
    const context = await parts.browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", javaScriptEnabled: false });
    page = await context.newPage();
  });
  after(() => parts?.stop());

  // sends asserts the names in the Cookie header of the next request.
  async function sends(...names) {
    await page.goto(parts.site + "/", { waitUntil: "networkidle" });
    const response = await page.goto(parts.site + "/", { waitUntil: "networkidle" });
    const { cookie = "" } = await response.request().allHeaders();
    const sent = cookie.split("; ").filter(Boolean).map((pair) => pair.split("=")[0]);
    assert.deepEqual(sent.sort(), names.sort());
  }
  const text = (selector) => page.locator(selector).textContent();
  const shot = (name) => page.screenshot({ path: path.join(screenshots, name + ".png"), fullPage: true });
  async function openCharter() {
    await page.goto(parts.site + "/");
    await follow(page, () => page.click("#charter"));
  }

  test("first visit", async () => {
    await sends("sessionid", "csrftoken");
    assert.equal(await text("#visits"), "2");
    assert.equal(await text("#user"), "nobody");
  });

  test("log in", async () => {
    await page.fill("[name=username]", "alice");
    await page.fill("[name=password]", "wonderland");
    await follow(page, () => page.click("#login button"));
    assert.equal(await text("#message"), "Welcome, alice");
    assert.equal(await text("#user"), "alice");
    await sends("sessionid", "csrftoken");
    assert.equal(await page.locator("#message").count(), 0, "the message was shown twice");
  });

  test("switch language", async () => {
    const language = () => page.locator("html").getAttribute("lang");
    assert.equal(await language(), "en");
    await follow(page, () => page.click("#language button[value=fr]"));
    assert.equal(await language(), "fr");
    await sends("sessionid", "csrftoken", "django_language");
    await openCharter();
    assert.equal(await language(), "fr");
    await shot("charter-fr");
    await page.goto(parts.site + "/");
    await follow(page, () => page.click("#language button[value=en]"));
    await openCharter();
    assert.equal(await text("h1"), "Cookie policy");
    await shot("charter-en");
    await page.setViewportSize({ width: 320, height: 640 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px of horizontal scrolling`);
    await shot("charter-en-320");
    await page.setViewportSize({ width: 1280, height: 720 });
  });

  test("refuse all", async () => {
    await openCharter();
    assert.equal(await page.locator("input:checked").count(), 0, "something is accepted beforehand");
    const buttons = await page.locator("button[name=all]").all();
    const [accept, refuse] = await Promise.all(buttons.map((button) => button.boundingBox()));
    assert.equal(accept.y, refuse.y);
    assert.equal(accept.height, refuse.height);
    assert.equal(Math.round(accept.width), Math.round(refuse.width));
    await follow(page, () => page.click("button[name=all][value=refused]"));
    assert.match(page.url(), /\/terms\/cookies-policy\/\?at=\d+&status=saved$/);
    assert.equal(await text("[role=status]"), "Your choices have been saved.");
    assert.equal(await page.locator("input[value=refused]:checked").count(), 3);
    await shot("charter-refused");
    await sends("sessionid", "csrftoken", "django_language", "__Host-charter_preference");
  });

  test("the Enter key saves what is marked", async () => {
    await openCharter();
    for (const value of ["granted", "refused"]) {
      await page.focus(`input[name='answer.matomo'][value=${value}]`);
      await page.keyboard.press("Space");
      await follow(page, () => page.keyboard.press("Enter"));
      assert.ok(await page.isChecked(`input[name='answer.matomo'][value=${value}]`));
      assert.ok(await page.isChecked("input[name='answer.ga'][value=refused]"));
      await page.goto(parts.site + "/terms/cookies-policy/");
    }
  });

  test("accept one tracker", async () => {
    await openCharter();
    await page.check("input[name='answer.matomo'][value=granted]");
    await follow(page, () => page.click("button:not([name])"));
    assert.equal(await text("[role=status]"), "Your choices have been saved.");
    await shot("charter-matomo");
    await sends("sessionid", "csrftoken", "django_language", "__Host-charter_preference", "_pk_id.1.1fff");
  });

  test("withdraw", async () => {
    await openCharter();
    await page.check("input[name='answer.matomo'][value=refused]");
    await follow(page, () => page.click("button:not([name])"));
    assert.equal(await text("[role=status]"), "Your choices have been saved.");
    const { cookie } = await (await page.goto(parts.site + "/")).request().allHeaders();
    assert.doesNotMatch(cookie, /_pk_id/, "it outlived the answer to the withdrawal");
    await sends("sessionid", "csrftoken", "django_language", "__Host-charter_preference");
  });

  test("log out", async () => {
    assert.equal(await text("#user"), "alice");
    await follow(page, () => page.click("#logout"));
    assert.equal(await text("#user"), "nobody");
    await sends("sessionid", "csrftoken", "django_language", "__Host-charter_preference");
  });
});

describe("a tracker that a script sets on the parent domain", () => {
  const tracker = "_pk_id.1.1fff";
  let parts, context, page;

  before(async () => {
    parts = await start();
    context = await parts.browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
    page = await context.newPage();
  });
  after(() => parts?.stop());

  const held = async () => (await context.cookies()).map((cookie) => cookie.name);
  // visit opens the portal, and tells whether the browser sent the tracker and
  // whether the portal received it.
  async function visit() {
    const response = await page.goto(parts.site + "/", { waitUntil: "networkidle" });
    const { cookie = "" } = await response.request().allHeaders();
    return { sent: cookie.includes(tracker), received: (await page.textContent("#received")).includes(tracker) };
  }
  async function runScript() {
    await page.goto(parts.site + "/script/");
    await page.evaluate(() => document.cookie); // once it is read, Chromium has stored it
    assert.ok((await held()).includes(tracker), "the script set nothing");
  }
  test("unanswered, it is gone from wherever scripts can set it", async () => {
    await page.goto(parts.site + "/script/");
    const set = await page.evaluate(() => {
      for (const place of ["path=/", "path=/; domain=data.city.example", "path=/; domain=city.example", "path=/script", "path=/; secure; partitioned"]) {
        document.cookie = `_pk_id.1.1fff=1; max-age=3600; ${place}`;
      }
      document.cookie = "__Host-tracker=1; path=/; secure";
      document.cookie = "__Secure-tracker=1; path=/; secure; domain=city.example";
      document.cookie = "sibling=1; path=/; domain=city.example";
      return document.cookie.split("; ").map((pair) => pair.split("=")[0]);
    });
    assert.equal(set.filter((name) => name === tracker || name.startsWith("__")).length, 7);
    // The answer, not its script, which sets the tracker again.
    const send = () => page.evaluate(() => fetch("/script/", { cache: "no-store" }));
    await send();
    await send();
    assert.deepEqual((await held()).filter((name) => name === tracker || name.startsWith("__")), []);
    assert.ok((await held()).includes("sibling"), "an undeclared cookie was removed");
    await context.clearCookies({ name: "sibling" });
  });

  async function answer(value) {
    await page.goto(parts.site + "/terms/cookies-policy/");
    await page.check(`input[name='answer.matomo'][value=${value}]`);
    const posted = page.waitForResponse((response) => response.request().method() === "POST");
    await follow(page, () => page.click("button:not([name])"));
    return posted;
  }

  test("before an answer, it is not received, and gone after one page view", async () => {
    await visit();
    await runScript();
    assert.deepEqual(await visit(), { sent: true, received: false });
    assert.ok(!(await held()).includes(tracker));
    assert.deepEqual(await visit(), { sent: false, received: false });
  });

  test("granted, it stays and is received", async () => {
    await answer("granted");
    await runScript();
    assert.deepEqual(await visit(), { sent: true, received: true });
    assert.deepEqual(await visit(), { sent: true, received: true });
  });

  test("within another site's frame, it is gone after one answer", async () => {
    const guest = await parts.browser.newContext({ ignoreHTTPSErrors: true });
    const top = await guest.newPage();
    const other = http.createServer((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/html" }).end(`<!DOCTYPE html><title>top</title><iframe src="${parts.site}/script/"></iframe>`);
    });
    await listen(other, parts.ports.ORIGIN_PORT);
    await top.goto(`http://top.other.example:${parts.ports.ORIGIN_PORT}/`);
    const frame = await (await top.waitForSelector("iframe")).contentFrame();
    await frame.waitForLoadState();
    const cookies = await frame.evaluate(async () => {
      document.cookie = "_pk_id.2=1; path=/; secure; samesite=none; partitioned";
      const before = document.cookie;
      await fetch("/measure/", { cache: "no-store" });
      return [before, document.cookie];
    });
    assert.match(cookies[0], /_pk_id\.2=1/);
    assert.doesNotMatch(cookies[1], /_pk_id\.2/);
    await guest.close();
    other.close();
    other.closeAllConnections();
  });

  test("withdrawn, thirty are gone when the page shows", async () => {
    await answer("granted");
    await page.evaluate(() => {
      for (let i = 0; i < 15; i++) {
        document.cookie = `_pk_id.${i}=1; path=/; domain=city.example`;
        document.cookie = `_pk_ses.${i}=1; path=/`;
      }
      return document.cookie; // by then all are stored
    });
    await answer("refused");
    await page.waitForSelector("[role=status]");
    assert.deepEqual((await held()).filter((name) => name.startsWith("_pk_")), []);
    await answer("granted");
    await runScript();
  });

  test("withdrawn, it is gone with the answer to the post", async () => {
    const lines = (await (await answer("refused")).headersArray()).filter(({ name }) => name.toLowerCase() === "set-cookie");
    assert.ok(lines.some(({ value }) => value.startsWith(tracker + "=; Max-Age=-1; Path=/; Domain=city.example")));
    assert.ok(!(await held()).includes(tracker));
    assert.deepEqual(await visit(), { sent: false, received: false });
  });
});
