// Who frames the page or the notice gets no answer from anybody, and a browser
// that takes no cookies is told so.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { browserArguments, follow, start } from "./parts.js";

const pagePath = "/terms/cookies-policy/";

describe("a choice", () => {
  let parts;
  before(async () => {
    parts = await start();
  });
  after(() => parts?.stop());
  const at = (host) => `https://${host}.city.example:${parts.ports.HTTPS_PORT}`;

  test("is not made in a sibling site's frame", async () => {
    const context = await parts.browser.newContext({ locale: "en-GB", ignoreHTTPSErrors: true });
    const page = await context.newPage();
    // The page and the notice do not show at all.
    for (const framed of [pagePath, `${pagePath}notice`, `${pagePath}?format=markdown`]) {
      await page.goto(`${at("framing")}/?${framed}`);
      const frame = await (await page.waitForSelector("#frame")).contentFrame();
      await frame.waitForURL(/^chrome-error:/);
    }
    // A portal that can be framed shows the notice, whose buttons store nothing.
    await page.goto(`${at("framing")}/?/`);
    const frame = page.frameLocator("#frame");
    for (const answer of ["granted", "refused"]) {
      await page.reload();
      await frame.locator(`button[name=all][value=${answer}]`).click();
      await frame.getByText(`Nothing was stored: choices cannot be made inside another page. Open ${at("portal")}${pagePath} and make them there.`).waitFor();
      assert.deepEqual((await context.cookies()).filter(({ name }) => name.includes("preference")), []);
    }
    assert.deepEqual(parts.choices(), []);
    await context.close();
  });

  test("is made in the portal's own pages, and leads back", async () => {
    const context = await parts.browser.newContext({ locale: "en-GB", ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const answer = await page.goto(`${at("portal")}/explore?a=b`);
    assert.equal(answer.headers()["content-security-policy"], undefined, "the notice's policy is that of the portal's page");
    await page.click("button[name=all][value=granted]");
    await page.waitForSelector(".charter-notice[role=status]");
    assert.equal(page.url(), `${at("portal")}/explore?a=b`);
    const [stored] = (await context.cookies()).filter(({ name }) => name.includes("preference"));
    assert.deepEqual([stored.name, stored.domain, stored.path, stored.secure], ["__Host-charter_preference", "portal.city.example", "/", true]);

    // No sibling can write that cookie, and what it writes under the other name says
    // nothing beside it.
    await page.goto(at("framing"));
    await page.evaluate(() => {
      for (const name of ["charter_preference", "__Host-charter_preference"]) document.cookie = `${name}=1.1790000000000.x.matomo-n; Domain=city.example; Path=/; Secure`;
      return document.cookie; // by then both are stored
    });
    assert.deepEqual((await context.cookies(at("portal"))).filter(({ name }) => name.includes("preference")).map(({ name, domain }) => [name, domain]), [
      ["__Host-charter_preference", "portal.city.example"],
      ["charter_preference", ".city.example"],
    ]);
    await page.goto(at("portal") + pagePath);
    assert.equal(await page.locator("input[value=granted]:checked").count(), await page.locator("input[value=granted]").count());

    // Who accepts after having refused accepts, be it with one button or with all.
    await follow(page, () => page.click("button[name=all][value=refused]"));
    await page.getByText("Your choices have been saved. Reference of the record").waitFor();
    assert.equal(await page.locator("input[value=refused]:checked").count(), await page.locator("input[value=refused]").count());
    await follow(page, () => page.click("button[name=all][value=granted]"));
    await page.getByText("Your choices have been saved. Reference of the record").waitFor();
    assert.equal(await page.locator("input[value=granted]:checked").count(), await page.locator("input[value=granted]").count());
    // A reload tells it again.
    await page.reload();
    await page.getByText("Your choices have been saved. Reference of the record").waitFor();
    assert.deepEqual(parts.choices().map(({ msg, source, answers }) => [msg, source, answers.matomo]), [
      ["choice", "notice", "granted"],
      ["choice", "page", "refused"],
      ["choice", "page", "granted"],
    ]);
    await context.close();
  });

  test("that the browser does not keep is told", async () => {
    const profile = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-profile-"));
    mkdirSync(path.join(profile, "Default"));
    writeFileSync(path.join(profile, "Default", "Preferences"), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }));
    const context = await chromium.launchPersistentContext(profile, { executablePath: "/usr/bin/chromium", args: browserArguments, locale: "en-GB", ignoreHTTPSErrors: true });
    try {
      const page = await context.newPage();
      parts.choices();
      for (const open of ["/", pagePath]) {
        await page.goto(at("portal") + open);
        await follow(page, () => page.click("button[name=all][value=granted]"));
        await page.getByText("Your choices were not kept").waitFor();
        assert.equal(new URL(page.url()).pathname, pagePath);
        assert.equal(await page.getByText("Reference of the record").count(), 0);
        await page.reload();
        const [given, lost, ...more] = parts.choices();
        assert.deepEqual([given.msg, lost.msg, lost.reference, more.length], ["choice", "choice not stored", given.reference, 0]);
      }
    } finally {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 }); // its helpers end a little later
    }
  });
});
