// A Django portal behind Caddy over https has to know the host at which visitors
// see it, or it refuses every form. Each way of docs/operation.md that tells it is
// tried by signing in; a sibling site's form is refused by all of them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { accepts, end, follow, listen, root, start } from "./parts.js";

describe("signing in behind Caddy", () => {
  let parts, other;
  const portals = [];

  before(async () => {
    parts = await start();
    const { HTTPS_PORT, TRUSTING_PORT, FORWARDED_PORT, ORIGIN_PORT } = parts.ports;
    const run = async (port, settings) => {
      const portal = spawn("/usr/bin/python3", [path.join(root, "e2e/portal.py"), port, JSON.stringify(settings)], { stdio: "ignore" });
      portals.push(portal);
      await accepts(port, portal);
    };
    await run(TRUSTING_PORT, { CSRF_TRUSTED_ORIGINS: [`https://trusting.city.example:${HTTPS_PORT}`] });
    await run(FORWARDED_PORT, { USE_X_FORWARDED_HOST: true });
    other = http.createServer((request, response) => {
      const { searchParams } = new URL(request.url, "http://other");
      const form = `<form method="post" action="${searchParams.get("action")}"><input name="csrfmiddlewaretoken" value="${searchParams.get("token")}"><button>go</button></form>`;
      response.writeHead(200, { "Content-Type": "text/html" }).end(`<!DOCTYPE html><title>other</title>${form}`);
    });
    await listen(other, ORIGIN_PORT);
  });
  after(async () => {
    other?.close();
    other?.closeAllConnections();
    for (const portal of portals) await end(portal);
    await parts?.stop();
  });

  // signIn fills in the form of a host of the portal, and returns the status of
  // the answer.
  async function signIn(host) {
    const context = await parts.browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
    const page = await context.newPage();
    const site = `https://${host}:${parts.ports.HTTPS_PORT}`;
    await page.goto(site + "/");
    await page.fill("[name=username]", "alice");
    await page.fill("[name=password]", "wonderland");
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await follow(page, () => page.click("#login button"));
    const status = (await answered).status();
    return { context, page, site, status };
  }

  const taken = (page) => page.evaluate(async () => (await fetch("/origin/", { method: "POST" })).text());

  test("a portal that knows another host only refuses the form", async () => {
    const { context, page, status } = await signIn("untold.city.example");
    assert.equal(status, 403);
    assert.match(await page.textContent("body"), /CSRF verification failed/);
    assert.equal(await taken(page), "False");
    await context.close();
  });

  for (const [host, what] of Object.entries({
    "data.city.example": "the host passed through, to a portal of one's own",
    "known.city.example": "the host passed through over https, to a vendor who knows it",
    "vendor.city.example": "the vendor's host, with Origin and Referer told as the vendor's",
    "trusting.city.example": "another host, and CSRF_TRUSTED_ORIGINS",
    "forwarded.city.example": "another host, and USE_X_FORWARDED_HOST",
  })) {
    test(what, async () => {
      const { context, page, site, status } = await signIn(host);
      assert.equal(status, 302);
      assert.equal(page.url(), site + "/");
      assert.equal(await page.textContent("#user"), "alice");
      assert.equal(await page.textContent("#message"), "Welcome, alice");
      // A second form, signed in: the language.
      await follow(page, () => page.click("#language button[value=fr]"));
      assert.equal(await page.locator("html").getAttribute("lang"), "fr");
      assert.equal(await taken(page), "True", "Django 4 would refuse it");
      const { cookie } = await (await page.goto(site + "/")).request().allHeaders();
      assert.deepEqual(cookie.split("; ").map((pair) => pair.split("=")[0]).sort(), ["csrftoken", "django_language", "sessionid"]);

      // A form at a sibling host is refused, even with a good token and with the
      // cookies, which a browser sends: Referer and Origin tell where it is from.
      const action = site + "/i18n/setlang/";
      const token = await page.inputValue("#language [name=csrfmiddlewaretoken]");
      await page.goto(`https://trackers.city.example:${parts.ports.HTTPS_PORT}/?${new URLSearchParams({ token, action })}`);
      const forged = page.waitForResponse((response) => response.request().method() === "POST");
      await page.click("button");
      const refused = await forged;
      assert.match((await refused.request().allHeaders()).cookie, /csrftoken=.*sessionid=|sessionid=.*csrftoken=/);
      assert.equal(refused.status(), 403);
      await context.close();
    });
  }
});
