// Every command of docs/troubleshooting.md is run as it stands, by a shell, in front of a
// portal that has what the headings say, and prints what stands below it: each of these
// lines, whatever numbers and spaces it has.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { buildCaddy, end, freePort, listen, root, runCaddy } from "./parts.js";

const text = readFileSync(path.join(root, "docs/troubleshooting.md"), "utf8");
const symptoms = text.split(/^## /m).slice(1).map((section) => ({
  symptom: section.split("\n")[0],
  blocks: Array.from(section.matchAll(/^```(\w+)\n(.*?)^```$/gms), ([, language, content]) => ({ language, content })),
}));

describe("troubleshooting", () => {
  const port = {};
  let folder, portal, binary, caddy;
  // Where the documentation has Caddy, its files and the portal.
  const here = (words) =>
    words
      .replaceAll("https://opendata.example.fr", `http://opendata.localhost:${port.http}`)
      .replaceAll("opendata.example.fr", "opendata.localhost")
      .replaceAll("localhost:2019", `localhost:${port.admin}`)
      .replaceAll("/etc/caddy", folder);
  // What is printed, without what differs.
  const plain = (line) => here(line).replaceAll(`opendata.localhost:${port.http}`, "opendata.localhost").replace(/version [0-9a-f]{12}/, "version").replace(/\d+/g, "0").replace(/\s+/g, " ").trim();

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    for (const name of ["http", "admin"]) port[name] = await freePort();
    portal = http.createServer((request, response) => {
      response.writeHead(200, { "Content-Type": "text/html", "Set-Cookie": ["sessionid=1; Path=/; Max-Age=31536000", "portal_session=1; Path=/", "_pk_id.1.1fff=1; Path=/; Max-Age=33955200"] });
      response.end("<!DOCTYPE html><html><head><title>Portal</title></head><body></body></html>");
    });
    await listen(portal, 0);
    writeFileSync(path.join(folder, "Caddyfile"), `{
  admin localhost:${port.admin}
  persist_config off
  storage file_system ${folder}/storage
}
http://opendata.localhost:${port.http} {
  bind 127.0.0.1
  cookie_charter {
    preset django matomo
    hosts
    guard monitor
    debug_header
  }
  reverse_proxy 127.0.0.1:${portal.address().port}
}
`);
    // A charter, and what became of it.
    const row = (purpose) => `cookies:\n  - {name: _pk_id.<site>.<hash>, match: _pk_id.*, purpose: ${purpose}, category: statistics}\n`;
    writeFileSync(path.join(folder, "old.yaml"), row("Counts visitors"));
    writeFileSync(path.join(folder, "new.yaml"), row("Counts visitors and pages"));
    binary = buildCaddy();
    caddy = await runCaddy(binary, path.join(folder, "Caddyfile"), {}, port.http);

    const site = `http://127.0.0.1:${port.http}`;
    const ask = (at, options = {}) =>
      new Promise((resolve, reject) => {
        const request = http.request(site + at, { ...options, headers: { Host: `opendata.localhost:${port.http}`, ...options.headers } }, (response) => response.resume().once("end", () => resolve(response.statusCode)));
        request.once("error", reject).end(options.body);
      });
    // Visits, also with what a banner has stored, and what browsers tell of a page.
    assert.equal(await ask("/"), 200);
    assert.equal(await ask("/", { headers: { Cookie: "klaro=%7B%7D" } }), 200);
    const told = { type: "csp-violation", body: { blockedURL: "https://tile.example.org/1.png", effectiveDirective: "img-src", disposition: "enforce", documentURL: site } };
    assert.equal(await ask("/terms/cookies-policy/reports", { method: "POST", headers: { "Content-Type": "application/reports+json" }, body: JSON.stringify([told]) }), 204);
    assert.equal(await ask("/terms/cookies-policy/guard", { method: "POST", headers: { "Content-Type": "text/plain" }, body: "panel_width" }), 204);
  });
  after(async () => {
    if (caddy) await end(caddy);
    portal?.close();
    portal?.closeAllConnections();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const run = async (commands) => {
    const child = spawn("sh", ["-c", here(commands)], { cwd: folder, env: { ...process.env, PATH: `${path.dirname(binary)}:${process.env.PATH}`, CADDY_ADMIN: `localhost:${port.admin}` }, stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (printed += data));
    await new Promise((resolve) => child.once("close", resolve));
    return printed;
  };

  assert.ok(symptoms.length > 8);
  for (const { symptom, blocks } of symptoms) {
    test(symptom, async () => {
      const [commands, lines] = blocks;
      assert.deepEqual(blocks.map(({ language }) => language), ["sh", "text"]);
      const printed = await run(commands.content);
      const said = printed.split("\n").map(plain);
      for (const line of lines.content.trim().split("\n")) assert.ok(said.some((words) => words.includes(plain(line))), `${line}\nis not in\n${printed}`);
    });
  }
});
