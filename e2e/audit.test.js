// An audit through Chromium finds what is planted, be it set by headers or by
// scripts, and nothing besides; and it can answer through a banner.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { listen, root, start } from "./parts.js";

const axe = readFileSync(path.join(root, "e2e/node_modules/axe-core/axe.min.js"), "utf8");

const ajv = new Ajv({ allErrors: true });
addFormats(ajv);
const validate = ajv.compile(JSON.parse(readFileSync(path.join(root, "docs/audit.schema.json"), "utf8")));

const tracker = "_pk_id.1.1fff";

// Chromium has no sandbox as root.
const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : [];
const browser = ["--browser", ...sandbox];

const findings = ({ visits }) =>
  visits.flatMap(({ visit, cookies }) => cookies.flatMap(({ name, violations }) => violations.map((violation) => `${visit}: ${name} ${violation}`))).sort();

// hostFindings are those of hosts, without the port.
const hostFindings = ({ visits }) =>
  visits.flatMap(({ visit, hosts }) => hosts.flatMap(({ host, violations }) => violations.map((violation) => `${visit}: ${host.replace(/:\d+$/, "")} ${violation}`))).sort();

// called tells what became of calls to hosts on a visit.
const called = ({ hosts }) =>
  Object.fromEntries(hosts.map(({ host, cookie, verdict, ...became }) => [host.replace(/:\d+$/, ""), [verdict, ...["reached", "blocked", "failed"].filter((word) => became[word])].join(" ")]));

// A portal's page that calls other hosts in many ways, and these hosts.
const calling = (port) => {
  const html = { "Content-Type": "text/html", "Cache-Control": "no-store" };
  const script = { "Content-Type": "text/javascript", "Cache-Control": "no-store" };
  const at = (host) => `https://${host}.example:${port}`;
  const setting = (name) => ({ "Content-Type": "image/gif", "Cache-Control": "no-store", "Set-Cookie": `${name}=1; SameSite=None; Secure; Max-Age=3600` });
  return {
    "/calling": [html, `<!DOCTYPE html><title>Calls</title>
      <script src="${at("counter")}/script.js"></script>
      <img src="${at("adverts")}/pixel"><img src="${at("tiles")}/tile"><img src="${at("counter")}/to-tracker"><img src="https://nowhere.invalid/">
      <iframe src="${at("video")}/frame"></iframe>
      <script>navigator.sendBeacon("${at("tracker")}/tracked"); new WebSocket("wss://tracker.example:${port}/socket"); new Worker("/worker.js"); new SharedWorker("/shared.js", String(Math.random()));</script>`],
    "/worker.js": [script, `fetch("${at("worker")}/", { mode: "no-cors" });`],
    "/shared.js": [script, `fetch("${at("shared")}/", { mode: "no-cors" });`],
    "counter.example/script.js": [script, `document.cookie = "visitor=1; path=/; max-age=3600";`],
    "counter.example/to-tracker": [{ Location: `${at("tracker")}/tracked` }, ""],
    "adverts.example/pixel": [setting("pixel"), ""],
    "tiles.example/tile": [setting("tile"), ""],
    "tracker.example/tracked": [setting("tracked"), ""],
    "video.example/frame": [html, `<!DOCTYPE html><img src="${at("thumbs")}/"><script>document.cookie = "player=1; SameSite=None; Secure; max-age=3600";</script>`],
    "thumbs.example/": [html, ""],
    "worker.example/": [html, ""],
    "shared.example/": [html, ""],
  };
};

describe("audit", () => {
  let parts, origin, folder;
  const asked = new Set(); // hosts that somebody called

  before(async () => {
    parts = await start();
    // A browser for which every *.example host is this machine.
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    writeFileSync(path.join(folder, "chromium"), `#!/bin/sh\nexec /usr/bin/chromium --ignore-certificate-errors "--host-resolver-rules=MAP *.example 127.0.0.1" "$@"\n`, { mode: 0o700 });
    const answers = calling(parts.ports.HTTPS_PORT);
    origin = http.createServer((request, response) => {
      const host = request.headers.host.replace(/:\d+$/, "");
      const answer = answers[host.endsWith(".example") ? host + request.url : request.url];
      if (host.endsWith(".example")) asked.add(host);
      if (answer) {
        response.writeHead(answer[0].Location ? 302 : 200, answer[0]).end(answer[1]);
      } else if (request.url === "/measure") {
        response.writeHead(200, { "Set-Cookie": `${tracker}=1; Path=/; HttpOnly` }).end();
      } else if (request.url === "/third") {
        response.writeHead(200, { "Set-Cookie": "third=1; SameSite=None; Secure" }).end();
      } else if (request.url === "/away") {
        response.writeHead(302, { Location: `http://127.0.0.1:${parts.ports.ORIGIN_PORT}/inside` }).end();
      } else if (request.url === "/inside") {
        response.writeHead(200, { "Content-Type": "text/html" }).end('<a href="/inside?further">further</a><script>localStorage.setItem("elsewhere", "1")</script>');
      } else if (request.url === "/list") {
        response.writeHead(200, { "Content-Type": "text/html" }).end('<a href="/away">away</a><a href="/item?id=1">1</a><a href="/item?id=2">2</a>');
      } else if (request.url.startsWith("/item")) {
        response.writeHead(200, { "Content-Type": "text/html", "Set-Cookie": `item${request.url.slice(-1)}=1` }).end('<script>localStorage.setItem("own", "1")</script>');
      } else if (request.url === "/flood") {
        response.writeHead(200, { "Content-Type": "text/html" })
          .end(`<body><script>document.body.append(...Array.from({ length: 20000 }, (_, i) => Object.assign(document.createElement("a"), { href: "/flood#" + i })));
            for (let i = 0; i < 400; i++) fetch("/echo?" + i + "x".repeat(250000));</script>`);
      } else if (request.url === "/busy") {
        response.writeHead(200, { "Content-Type": "text/html" }).end("<script>for (;;);</script>");
      } else if (request.url === "/frames") {
        response.writeHead(200, { "Content-Type": "text/html" })
          .end(`<a href="/busy">busy</a><iframe src="http://127.0.0.1:${parts.ports.ORIGIN_PORT}/third"></iframe><script>alert("stop")</script>`);
      } else if (request.url.startsWith("/lib/") && !request.url.includes("..")) {
        const content = readFileSync(path.join(root, "e2e/node_modules", request.url.slice("/lib".length).split("?")[0]));
        response.writeHead(200, { "Content-Type": request.url.includes(".css") ? "text/css" : "text/javascript" }).end(content);
      } else {
        response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(`<!DOCTYPE html><html lang="en"><title>Banner</title><body><h1>Banner</h1>
          <script src="/lib/tarteaucitronjs/tarteaucitron.js"></script>
          <script>tarteaucitron.init({ hashtag: "#banner", highPrivacy: true, AcceptAllCta: true, DenyAllCta: true, orientation: "bottom", mandatory: false });
            tarteaucitron.services.measure = { key: "measure", type: "analytic", name: "Measure", needConsent: true, cookies: [], js() {}, fallback() {} };
            (tarteaucitron.job = tarteaucitron.job || []).push("measure");</script>`);
      }
    });
    origin.on("upgrade", (request, socket) => {
      asked.add(`wss://${request.headers.host.replace(/:\d+$/, "")}`);
      socket.destroy();
    });
    await listen(origin, parts.ports.ORIGIN_PORT);
  });
  after(async () => {
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const audit = async (...words) => auditWith(browser, ...words);
  const auditWith = async (browser, ...words) => {
    const { status, stdout, stderr } = await parts.command("audit", ...words, ...browser, "--format", "json");
    assert.match(stderr, status === 1 ? /pages or visits are missing/ : /^$/);
    const report = JSON.parse(stdout);
    assert.ok(validate(report), ajv.errorsText(validate.errors));
    return { status, report };
  };

  // auditOnce audits a site for all tests that only read.
  const audits = {};
  const auditOnce = (site) => (audits[site] ??= audit(site));

  // What scripts write no proxy can stop.
  const written = ["first", "refused", "accepted", "withdrawn"].map((visit) => `${visit}: written undeclared`);

  test("a site that breaks its charter", async () => {
    const { status, report } = await auditOnce(`http://localhost:${parts.ports.PLANTED_PORT}`);
    assert.equal(status, 2);
    assert.match(report.browser, /Chrome\/\d+/);
    const planted = readFileSync(path.join(root, "testdata/audit.txt"), "utf8").trim().split("\n");
    const scripted = ["first: _gid set before consent", "refused: _gid set after refusal", "withdrawn: _gid kept after withdrawal"];
    const long = ["first", "refused", "accepted"].map((visit) => `${visit}: _gid set for 12 days, published is 24 hours`);
    assert.deepEqual(findings(report), [...planted, ...written, ...scripted, ...long].sort());
    assert.equal(report.violations, findings(report).length);
    assert.equal(report.visits[0].cookies.find(({ name }) => name === "written").set_by, "script");
  });

  test("a report for the files", async () => {
    const files = Object.fromEntries(["html", "json"].map((format) => [format, path.join(folder, `report.${format}`)]));
    const shots = path.join(folder, "shots");
    const { status, stdout, stderr } = await parts.command(
      ...["audit", `http://stripped.localhost:${parts.ports.PLANTED_PORT}/calling`, `--browser=${path.join(folder, "chromium")}`, ...sandbox],
      ...["--language", "fr", "--by", "DPO, Ys", "--screenshots", shots, "--output", files.html, "--output", files.json],
    );
    assert.deepEqual([status, stderr], [2, ""]);
    assert.match(stdout, /\nÉtabli par +DPO, Ys\n/);
    const report = JSON.parse(readFileSync(files.json, "utf8"));
    assert.ok(validate(report), ajv.errorsText(validate.errors));
    assert.equal(execFileSync("sh", ["-c", `grep -v '^  "hash": ' "$0" | sha256sum`, files.json], { encoding: "utf8" }).split(" ")[0], report.hash);
    for (const { screenshot } of report.visits) {
      const content = readFileSync(path.join(shots, screenshot.file));
      assert.equal(content.subarray(1, 4).toString(), "PNG");
      assert.equal(createHash("sha256").update(content).digest("hex"), screenshot.sha256);
    }
    assert.deepEqual(report.visits.map(({ answer, clicked }) => [answer, clicked]), [
      ["none", undefined], ...["refused", "granted", "refused"].map((answer) => [answer, [`button[name=all][value=${answer}]`]]),
    ]);
    assert.ok(report.visits.every(({ pages }) => pages.length === report.pages.length && pages.every(({ status }) => status === 200)));

    const page = await parts.browser.newPage();
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`file://${files.html}`);
    await page.evaluate(axe);
    assert.deepEqual((await page.evaluate(() => axe.run())).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
    const names = report.visits.flatMap(({ cookies }) => cookies.map(({ name }) => name));
    assert.deepEqual((await page.locator("h2#cookies + div tbody th code").allTextContents()).sort(), [...new Set(names)].sort(), "one row per cookie");
    assert.equal(await page.locator("figure img").count(), 4);
    // On A4 with its margins, no column is cut off, and none on a narrow screen.
    for (const [media, width] of [["print", 703], ["screen", 320]]) {
      await page.emulateMedia({ media });
      await page.setViewportSize({ width, height: 900 });
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, media);
      if (media === "print") {
        const cut = await page.evaluate(() => Array.from(document.querySelectorAll("th, td, dd")).filter((cell) => cell.getBoundingClientRect().right > innerWidth || cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent));
        assert.deepEqual(cut, []);
      }
    }
    await page.emulateMedia({ media: "print" });
    const sheets = (await page.pdf({ preferCSSPageSize: true })).toString("latin1").match(/MediaBox ?\[[^\]]*/g) ?? [];
    assert.ok(sheets.length > 1 && sheets.every((sheet) => { const [width, height] = sheet.split(" ").slice(-2).map(Number); return Math.abs(width - 595) < 2 && Math.abs(height - 842) < 2; }), `A4: ${sheets}`);
    assert.deepEqual(errors, []);
    await page.close();

    const again = await auditWith([`--browser=${path.join(folder, "chromium")}`, ...sandbox], `http://stripped.localhost:${parts.ports.PLANTED_PORT}/calling`, "--since", files.json);
    assert.deepEqual([again.report.since.hash, again.report.since.new, again.report.since.gone], [report.hash, [], []]);
    writeFileSync(files.json, readFileSync(files.json, "utf8").replace(/"violations": \d+/, '"violations": 0'));
    const changed = await parts.command("audit", `http://stripped.localhost:${parts.ports.PLANTED_PORT}/calling`, "--since", files.json);
    assert.equal(changed.status, 1);
    assert.match(changed.stderr, /it was changed since it was written/);
  });

  // readVisit visits pages and tells which cookies were set by headers, sent and kept, by
  // the browser's raw events. It shares no code with the audit.
  const readVisit = async (context, site, pages, answer) => {
    const page = await context.newPage();
    const events = await context.newCDPSession(page);
    await events.send("Network.enable");
    if (answer) {
      await page.goto(`${site}/terms/cookies-policy/`);
      await page.click(`button[name=all][value=${answer}]`);
      await page.waitForURL(/status=saved/);
      await page.waitForTimeout(1000); // what comes with the answer is none of the visit
    }
    const set = new Set(), sent = new Set();
    events.on("Network.responseReceivedExtraInfo", ({ headers, blockedCookies }) => {
      const refused = blockedCookies.map(({ cookieLine }) => cookieLine);
      for (const [name, value] of Object.entries(headers)) {
        if (name.toLowerCase() !== "set-cookie") continue;
        for (const line of value.split("\n")) {
          const expires = Date.parse(/; *expires=([^;]*)/i.exec(line)?.[1] ?? "");
          const removes = /; *max-age=(0|-)/i.test(line) || expires < Date.now();
          if (!refused.includes(line) && !removes) set.add(line.split("=")[0]);
        }
      }
    });
    events.on("Network.requestWillBeSentExtraInfo", ({ associatedCookies }) => {
      for (const { cookie, blockedReasons } of associatedCookies) if (blockedReasons.length === 0) sent.add(cookie.name);
    });
    for (const address of pages) {
      await page.goto(address, { waitUntil: "load" });
      await page.waitForTimeout(300);
    }
    const { cookies } = await events.send("Network.getAllCookies");
    await page.close();
    return { set: [...set].sort(), sent: [...sent].sort(), kept: cookies.map(({ name }) => name).sort() };
  };

  for (const name of ["PLANTED_PORT", "ENFORCED_PORT"]) {
    test(`another reader sees the same: ${name}`, async () => {
      const site = `http://localhost:${parts.ports[name]}`;
      const { report } = await auditOnce(site);
      const seen = [];
      let context;
      for (const [visit, answer] of [["first"], ["refused", "refused"], ["accepted", "granted"], ["withdrawn", "refused"]]) {
        if (visit !== "withdrawn") {
          await context?.close();
          context = await parts.browser.newContext();
        }
        seen.push(await readVisit(context, site, report.pages, answer));
      }
      await context.close();
      const names = (cookies, what) => cookies.filter(what).map(({ name }) => name).sort();
      assert.deepEqual(
        report.visits.map(({ cookies }) => ({ set: names(cookies, ({ set_by }) => set_by === "header"), sent: names(cookies, ({ sent }) => sent), kept: names(cookies, ({ kept }) => kept) })),
        seen,
      );
      assert.ok(seen[0].set.length > 0 && seen[3].kept.length > 0);
    });
  }

  test("the same site, enforced", async () => {
    const { status, report } = await auditOnce(`http://localhost:${parts.ports.ENFORCED_PORT}`);
    assert.equal(status, 2);
    const found = findings(report).filter((finding) => !finding.includes("_gid set for"));
    assert.deepEqual(found, [...written, "first: _gid set before consent", "refused: _gid set after refusal", "withdrawn: _gid set after withdrawal"].sort());
  });

  test("a banner that is clicked", async () => {
    const site = `http://tarteaucitron.localhost:${parts.ports.BANNERS_PORT}`;
    const { status, report } = await audit(
      ...[`${site}/`, `${site}/measure`, "--charter", path.join(root, "e2e/Caddyfile")],
      ...["--accept", "#tarteaucitronPersonalize2", "--refuse", "#tarteaucitronAllDenied2"],
      ...["--withdraw", "#tarteaucitronManager", "--withdraw", "#tarteaucitronAllDenied"],
    );
    assert.deepEqual(findings(report), []);
    assert.equal(status, 0);
    const held = report.visits.map(({ visit, cookies }) => [visit, cookies.some(({ name, kept }) => name === tracker && kept)]);
    assert.deepEqual(held, [["first", false], ["refused", false], ["accepted", true], ["withdrawn", false]]);
  });

  test("frames of other sites, and pages that hang", async () => {
    const { status, report } = await audit(`http://localhost:${parts.ports.ORIGIN_PORT}/frames`, "--charter", path.join(root, "testdata/charter.yaml"));
    assert.deepEqual(findings(report), ["first: third undeclared"]);
    const { set_by, domain } = report.visits[0].cookies.find(({ name }) => name === "third");
    assert.deepEqual([set_by, domain, report.incomplete, status], ["header", "127.0.0.1", true, 2]);
    assert.match(report.failures.join(), /busy/);
  });

  test("pages that differ by query, and one that leads elsewhere", async () => {
    const site = `http://localhost:${parts.ports.ORIGIN_PORT}`;
    const { report } = await audit(`${site}/list`, "--charter", path.join(root, "testdata/charter.yaml"));
    assert.deepEqual(report.pages, ["/list", "/away", "/item?id=1", "/item?id=2"].map((page) => site + page));
    assert.deepEqual(findings(report).filter((finding) => finding.startsWith("first")), ["first: item1 undeclared", "first: item2 undeclared"]);
    assert.deepEqual(report.visits[0].items.map(({ name, kept, violations }) => ({ name, kept, violations })), [{ name: "own", kept: true, violations: [] }], "what the site itself has stored, and nothing of others");
    assert.ok(report.notes.includes(`Not followed: ${site}/away, as it leads to another site, http://127.0.0.1:${parts.ports.ORIGIN_PORT}.`), report.notes.join());
  });

  test("a page that tells more than is read", async () => {
    const site = `http://localhost:${parts.ports.ORIGIN_PORT}`;
    const { report } = await audit(`${site}/flood`, "--charter", path.join(root, "testdata/charter.yaml"));
    assert.ok(report.incomplete);
    assert.ok(report.notes.includes(`Not looked at: its links after the first 10000 of ${site}/flood.`), report.notes.join());
    assert.ok(report.notes.includes(`Not looked at: some of its requests, of which there are many or very long ones of ${site}/flood.`), report.notes.join());
  });

  test("a browser without its sandbox, unasked", async () => {
    const { status, stderr } = await parts.command("audit", `http://localhost:${parts.ports.PLANTED_PORT}`, "--browser", "--pages", "1");
    if (process.getuid() !== 0) return assert.equal(status, 2);
    assert.equal(status, 1);
    assert.match(stderr, /does not run as root.*--no-sandbox/);
  });

  test("a click that answers nothing", async () => {
    const site = `http://tarteaucitron.localhost:${parts.ports.BANNERS_PORT}`;
    const { status, stderr } = await parts.command(
      ...["audit", `${site}/`, `${site}/measure`, "--charter", path.join(root, "e2e/Caddyfile"), ...browser],
      ...["--accept", "h1", "--refuse", "h1", "--withdraw", "h1"],
    );
    assert.equal(status, 1);
    assert.match(stderr, /clicking for --refuse has stored nothing/);
  });

  test("nothing to click", async () => {
    const site = `http://tarteaucitron.localhost:${parts.ports.BANNERS_PORT}`;
    const { status, stderr } = await parts.command(
      ...["audit", `${site}/`, `${site}/measure`, "--charter", path.join(root, "e2e/Caddyfile"), ...browser],
      ...["--accept", "#accept", "--refuse", "#nowhere", "--withdraw", "#refuse"],
    );
    assert.equal(status, 1);
    assert.match(stderr, /has nothing for --refuse #nowhere to click/);
  });

  // auditCalls audits a site whose pages call others.
  const auditCalls = async (site, ...words) => {
    asked.clear();
    const report = await auditWith([`--browser=${path.join(folder, "chromium")}`, ...sandbox], `http://${site}.localhost:${parts.ports.PLANTED_PORT}/calling`, ...words);
    const reached = report.report.visits.flatMap((visit) => Object.entries(called(visit)).filter(([, became]) => became.includes("reached")).map(([host]) => host));
    assert.deepEqual([...new Set(reached)].sort(), [...asked].sort(), "the hosts know who has called");
    return report;
  };

  const undeclared = { "nowhere.invalid": "undeclared blocked", "shared.example": "undeclared blocked", "tracker.example": "undeclared blocked", "worker.example": "undeclared blocked", "wss://tracker.example": "undeclared blocked" };
  const kept = { ...undeclared, "adverts.example": "refused blocked", "counter.example": "refused blocked", "tiles.example": "allowed reached", "video.example": "refused blocked" };

  test("a site that keeps its pages to the hosts that it declares", async () => {
    const { status, report } = await auditCalls("kept");
    assert.deepEqual(report.visits.map(called), [
      kept, kept,
      { ...undeclared, "adverts.example": "allowed reached", "counter.example": "allowed reached", "thumbs.example": "undeclared reached", "tiles.example": "allowed reached", "video.example": "allowed reached" },
      kept,
    ]);
    // No policy of a site reaches into the frames of others.
    assert.deepEqual(hostFindings(report), ["accepted: thumbs.example undeclared"]);
    assert.deepEqual(findings(report), []);
    assert.deepEqual([report.holds_hosts, report.violations, report.notes, status], [true, 1, undefined, 2]);
    const cookies = report.visits.map(({ cookies }) => cookies.filter(({ host }) => host).map(({ name, host, cookie, verdict, set_by, kept, sent }) => [name, host.replace(/:\d+$/, ""), cookie.replace(/^https:\/\/|:\d+$/g, ""), verdict, set_by, kept, sent].join(" ")));
    const tile = "tile tiles.example tiles.example allowed header true false";
    assert.deepEqual(cookies, [
      [tile], [tile],
      ["pixel adverts.example adverts.example allowed header true false", "player video.example adverts.example allowed script true false", tile],
      // What is there nobody but its host can remove.
      ["pixel adverts.example adverts.example refused  true false", "player video.example adverts.example refused  true false", "tile tiles.example tiles.example allowed header true true"],
    ]);
  });

  const unanswered = [["first", "before consent"], ["refused", "after refusal"], ["withdrawn", "after withdrawal"]];
  const all = ["first", "refused", "accepted", "withdrawn"];
  // What no policy keeps from a visitor: of each visit, the hosts that nobody declares,
  // and the others with what they set until they are allowed.
  const uncalled = [
    ...all.flatMap((visit) => ["shared.example", "thumbs.example", "tracker.example", "worker.example", "wss://tracker.example"].map((host) => `${visit}: ${host} undeclared`)),
    ...unanswered.flatMap(([visit, when]) => ["adverts.example", "counter.example", "video.example"].map((host) => `${visit}: ${host} called ${when}`)),
  ].sort();
  const unset = [
    ...all.map((visit) => `${visit}: tracked undeclared`),
    ...unanswered.flatMap(([visit, when]) => ["pixel", "player", "visitor"].map((name) => `${visit}: ${name} set ${when}`)),
  ].sort().map((finding) => finding.replace("withdrawn: player set", "withdrawn: player sent")); // as it was there

  test("a site that says that it keeps its pages to hosts, and does not", async () => {
    const { status, report } = await auditCalls("stripped");
    assert.deepEqual(hostFindings(report), uncalled);
    assert.deepEqual(findings(report), unset);
    assert.deepEqual([report.holds_hosts, report.violations, status], [true, uncalled.length + unset.length, 2]);
    assert.equal(called(report.visits[0])["nowhere.invalid"], "undeclared failed");
  });

  test("a site that only watches hosts", async () => {
    const { report } = await auditCalls("watched");
    assert.deepEqual([hostFindings(report), findings(report)], [[], unset]);
    assert.equal(called(report.visits[0])["tracker.example"], "undeclared reached");
    assert.equal(report.holds_hosts, false);
    assert.match(report.notes.join(), /Other hosts violate nothing here.*--hosts/);
    assert.deepEqual(hostFindings((await auditCalls("watched", "--hosts")).report), uncalled);
  });
});
