// What browsers report of a policy of hosts: after two views of a page that loads from
// three other hosts, the inventory names all three, whether the policy only reports or
// blocks, and nothing else of their addresses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startFirefox } from "./firefox.js";
import { browserArguments, buildCaddy, end, freePort, listen, runCaddy, until } from "./parts.js";

const page = `<!DOCTYPE html><title>portal</title>
<img src="https://pixel.example/S3cr3t.gif?S3cr3t" alt="">
<script src="https://stats.example:8443/S3cr3t.js?S3cr3t"></script>
<script>fetch("https://collector.example/S3cr3t?S3cr3t", { method: "POST", body: "S3cr3t" }).catch(() => {}); eval("1")</script>`;

const loaded = { "collector.example": "connect-src", "pixel.example": "img-src", "stats.example:8443": "script-src" };

describe("reports of hosts", { concurrency: true }, () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
  const config = path.join(folder, "Caddyfile");
  let binary, portal, caddy, port, admin, chromiumBrowser, firefox;

  before(async () => {
    binary = buildCaddy();
    const portalPort = await freePort();
    [port, admin] = [await freePort(), await freePort()];
    portal = http.createServer((request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(page));
    await listen(portal, portalPort);
    // Each has a directive of its own, as one document in a second asks for reports of each.
    const site = (name, kind) => `
      https://${name}-${kind}.city.example:${port} {
        cookie_charter {
          preset opendatasoft
          hosts ${kind}
        }
        reverse_proxy 127.0.0.1:${portalPort}
      }`;
    writeFileSync(config, `{
        admin localhost:${admin}
        persist_config off
        auto_https disable_redirects
        local_certs
        skip_install_trust
        default_bind 127.0.0.1
        storage file_system ${folder}/storage
        storage_clean_interval off
        log {
          output file ${folder}/log
          level DEBUG
        }
      }${["chromium", "firefox"].flatMap((name) => ["monitor", "enforce"].map((kind) => site(name, kind))).join("")}`);
    const started = [
      runCaddy(binary, config, {}, port, ["chromium-monitor", "chromium-enforce", "firefox-monitor", "firefox-enforce"].map((name) => `${name}.city.example`)).then((running) => (caddy = running)),
      chromium.launch({ executablePath: "/usr/bin/chromium", args: [...browserArguments, "--ignore-certificate-errors"] }).then((browser) => (chromiumBrowser = browser)),
      startFirefox().then((browser) => (firefox = browser)),
    ];
    await Promise.all(started);
  });
  after(async () => {
    await Promise.all([chromiumBrowser?.close(), firefox?.close()]);
    if (caddy) await end(caddy);
    portal?.close();
    portal?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  // reported returns what the admin endpoint tells of a site's hosts.
  async function reported(site) {
    // Not by fetch, whose fields are those of a browser: Caddy's admin endpoint refuses these.
    const response = await new Promise((resolve, reject) => http.get(`http://localhost:${admin}/cookie_charter/inventory?host=${site}`, resolve).once("error", reject));
    const text = Buffer.concat(await response.toArray()).toString();
    if (response.statusCode === 404) return { hosts: [], text: "" };
    assert.equal(response.statusCode, 200, text);
    return { hosts: JSON.parse(text)[site].filter(({ host }) => host), text };
  }

  for (const name of ["chromium", "firefox"]) {
    for (const kind of ["monitor", "enforce"]) {
      test(`${name}, hosts ${kind}`, async () => {
        const site = `${name}-${kind}.city.example:${port}`;
        const tab = name === "chromium" ? await chromiumBrowser.newPage() : await firefox.newPage();
        for (let views = 0; views < 2; views++) {
          await tab.goto(`https://${site}/S3cr3t?S3cr3t`);
          await sleep(1500); // one document in a second asks for reports
        }
        let found;
        await until(async () => (found = await reported(site)).hosts.length >= 3, () => `three hosts are reported, not ${found.text}`);
        await tab.close();
        assert.deepEqual(Object.fromEntries(found.hosts.map(({ host, reports }) => [host, reports.directives.join(" ")])), loaded);
        for (const { host, name, verdict, reports } of found.hosts) {
          assert.equal(verdict, "undeclared", host);
          assert.equal(name, "", host);
          assert.equal(reports.blocked, kind === "enforce" ? reports.count : 0, host);
        }

        const command = (...words) => {
          const { stdout, status } = run(...words, "--host", site, "--address", `localhost:${admin}`);
          return { stdout, status };
        };
        const { stdout: table } = command("inventory");
        const { stdout: draft } = command("inventory", "--format", "charter");
        const { stdout: difference, status } = command("diff", config);
        assert.equal(status, 2);
        for (const host of Object.keys(loaded)) {
          assert.match(table, new RegExp(`${site} +${host} +undeclared `));
          assert.match(draft, new RegExp(`- host: ${host}\n`));
          assert.match(difference, new RegExp(`undeclared: host "${host}"`));
        }
        // Requests for pages are in the log, by Caddy itself; reports have their paths, too.
        const log = readFileSync(path.join(folder, "log"), "utf8").split("\n").filter((line) => line.includes('"logger":"http.handlers.cookie_charter"'));
        assert.ok(log.some((line) => line.includes('"reported a host"')));
        for (const text of [found.text, table, draft, difference, ...log]) assert.doesNotMatch(text, /S3cr3t/);
      });
    }
  }

  // run runs a command of Caddy.
  function run(...words) {
    try {
      return { status: 0, stdout: execFileSync(binary, ["cookie-charter", ...words], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }) };
    } catch (error) {
      return error;
    }
  }
});
