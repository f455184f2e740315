// The example shows its last audit, and the report, as people meet both: in a browser, with
// axe-core, and under the policy with which the report is served.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { browserArguments, buildCaddy, end, freePort, root, runCaddy } from "./parts.js";

const axe = readFileSync(path.join(root, "e2e/node_modules/axe-core/axe.min.js"), "utf8");

let folder, binary, caddy, browser, site, admin;
before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-publication-"));
  binary = buildCaddy();
  const ports = { 8080: await freePort(), 8081: await freePort(), 8082: await freePort() };
  const config = path.join(folder, "Caddyfile");
  writeFileSync(config, readFileSync(path.join(root, "Caddyfile.example"), "utf8").replaceAll(/808[012]/g, (port) => ports[port]));
  caddy = await runCaddy(binary, config, { XDG_DATA_HOME: path.join(folder, "data"), XDG_CONFIG_HOME: folder }, Object.values(ports));
  [site, admin] = [`http://localhost:${ports[8080]}`, `localhost:${ports[8082]}`];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: browserArguments });
});
after(async () => {
  await browser?.close();
  if (caddy) await end(caddy);
  rmSync(folder, { recursive: true, force: true });
});

test("the last audit", async () => {
  execFileSync(binary, ["cookie-charter", "audit", site, "--publish", "--address", admin], { stdio: ["ignore", "ignore", "pipe"] });
  const page = await browser.newPage({ locale: "fr-FR", viewport: { width: 320, height: 900 } });
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  const looksGood = async () => {
    await page.evaluate(axe);
    assert.deepEqual((await page.evaluate(() => axe.run())).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
  };
  for (const address of ["terms/cookies-policy", "terms/cookies-policy/"]) {
    await page.goto(`${site}/${address}`);
    assert.match(await page.locator(".charter-tested").textContent(), /^Dernier test le .*\s: aucun cookie non permis par cette charte n’a été constaté\./);
    await looksGood();
    await page.click(".charter-tested a");
    await page.waitForURL(/\/terms\/cookies-policy\/audit\?flg=fr$/);
  }
  assert.equal(await page.locator("h1").textContent(), `Audit de ${site}`);
  // Its own style is let in, and nothing else.
  assert.equal(await page.locator(".verdict").evaluate((verdict) => getComputedStyle(verdict).color), "rgb(11, 107, 58)");
  await looksGood();
  assert.deepEqual(errors, []);
});
