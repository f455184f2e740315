// An audit through Chromium finds what is planted, be it set by headers or by
// scripts, and nothing besides; and it can answer through a banner.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { root, start } from "./parts.js";

const tracker = "_pk_id.1.1fff";

// Chromium has no sandbox as root.
const browser = process.getuid() === 0 ? ["--browser", "--no-sandbox"] : ["--browser"];

const findings = ({ visits }) =>
  visits.flatMap(({ visit, cookies }) => cookies.flatMap(({ name, violations }) => violations.map((violation) => `${visit}: ${name} ${violation}`))).sort();

describe("audit", () => {
  let parts, origin;

  before(async () => {
    parts = await start();
    origin = http.createServer((request, response) => {
      if (request.url === "/measure") {
        response.writeHead(200, { "Set-Cookie": `${tracker}=1; Path=/; HttpOnly` }).end();
      } else if (request.url === "/third") {
        response.writeHead(200, { "Set-Cookie": "third=1; SameSite=None; Secure" }).end();
      } else if (request.url === "/away") {
        response.writeHead(302, { Location: `http://127.0.0.1:${parts.ports.ORIGIN_PORT}/inside` }).end();
      } else if (request.url === "/inside") {
        response.writeHead(200, { "Content-Type": "text/html" }).end('<a href="/inside?further">further</a>');
      } else if (request.url === "/list") {
        response.writeHead(200, { "Content-Type": "text/html" }).end('<a href="/away">away</a><a href="/item?id=1">1</a><a href="/item?id=2">2</a>');
      } else if (request.url.startsWith("/item")) {
        response.writeHead(200, { "Content-Type": "text/html", "Set-Cookie": `item${request.url.slice(-1)}=1` }).end();
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
    await new Promise((resolve) => origin.listen(parts.ports.ORIGIN_PORT, "127.0.0.1", resolve));
  });
  after(async () => {
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
  });

  const audit = async (...words) => {
    const { status, stdout, stderr } = await parts.command("audit", ...words, ...browser, "--format", "json");
    assert.equal(stderr, "");
    return { status, report: JSON.parse(stdout) };
  };

  // What scripts write no proxy can stop.
  const written = ["first", "refused", "accepted", "withdrawn"].map((visit) => `${visit}: written undeclared`);

  test("a site that breaks its charter", async () => {
    const { status, report } = await audit(`http://localhost:${parts.ports.PLANTED_PORT}`);
    assert.equal(status, 2);
    assert.match(report.browser, /Chrome\/\d+/);
    const planted = readFileSync(path.join(root, "testdata/audit.txt"), "utf8").trim().split("\n");
    const scripted = ["first: _gid set before consent", "refused: _gid set after refusal", "withdrawn: _gid kept after withdrawal"];
    const long = ["first", "refused", "accepted"].map((visit) => `${visit}: _gid set for 12 days, published is 24 hours`);
    assert.deepEqual(findings(report), [...planted, ...written, ...scripted, ...long].sort());
    assert.equal(report.violations, findings(report).length);
    assert.equal(report.visits[0].cookies.find(({ name }) => name === "written").set_by, "script");
  });

  test("the same site, enforced", async () => {
    const { status, report } = await audit(`http://localhost:${parts.ports.ENFORCED_PORT}`);
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
});
