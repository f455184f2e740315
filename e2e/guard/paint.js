// `npm run paint` measures what the guard adds to a page of 50 KB: to its first contentful paint
// in Chromium, on this machine's own network and on one like that of a telephone, and to the
// time to its first byte, compressed and not. Each is measured in turns with the same page
// without the guard, behind the same Caddy with the same charter; the first of each counts for
// nothing. It takes about two minutes on a quiet machine; `npm run paint -- 3` makes rounds of 3
// in the place of 30.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { browserArguments, buildCaddy, end, freePort, runCaddy } from "../parts.js";

const rounds = Number(process.argv[2] ?? 30);

const paragraph = (i) => `<p id="p${i}">Paragraph ${i}: ${Math.sin(i).toString(36)} is a number that compresses badly, and this is a text that compresses well.</p>\n`;
const body = Buffer.from(`<!DOCTYPE html><html lang="en"><head><title>page</title><style>body { font: 16px serif }</style></head><body><h1>Page</h1>\n${Array.from({ length: 380 }, (_, i) => paragraph(i)).join("")}</body></html>`);
const compressed = gzipSync(body);

const sites = { without: "", with: "guard" };

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

// compare measures in turns, and prints the medians in milliseconds.
async function compare(what, count, measure) {
  const values = { without: [], with: [] };
  for (let i = 0; i <= count; i++) {
    const turn = Object.keys(sites);
    for (const site of i % 2 ? turn : turn.reverse()) {
      const value = await measure(site);
      if (i > 0) values[site].push(value);
    }
  }
  const [without, guarded] = [median(values.without), median(values.with)];
  console.log(`${what.padEnd(44)} ${without.toFixed(2).padStart(8)} ${guarded.toFixed(2).padStart(8)} ${(guarded - without).toFixed(2).padStart(8)} ${(guarded / without).toFixed(3).padStart(7)}   of ${count}`);
}

const folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
const origin = http.createServer((request, response) => {
  const isCompressed = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", ...(isCompressed && { "Content-Encoding": "gzip" }) });
  response.end(isCompressed ? compressed : body);
});
let caddy, browser;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
try {
  const ports = { without: await freePort(), with: await freePort(), origin: await freePort() };
  await new Promise((resolve) => origin.listen(ports.origin, "127.0.0.1", resolve));
  const file = path.join(folder, "Caddyfile");
  writeFileSync(file, `{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n` + Object.entries(sites).map(([site, option]) => `http://localhost:${ports[site]} {
	cookie_charter {
		preset opendatasoft matomo
		${option}
	}
	reverse_proxy 127.0.0.1:${ports.origin}
}
`).join(""));
  caddy = await runCaddy(buildCaddy(), file, {}, ports.with);
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: browserArguments });

  // paints returns when something is painted first, in a browser that has cached nothing.
  const paints = (conditions) => async (site) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    if (conditions) await (await context.newCDPSession(page)).send("Network.emulateNetworkConditions", { offline: false, ...conditions });
    await page.goto(`http://localhost:${ports[site]}/`);
    const time = await page.evaluate(() => new Promise((resolve) => new PerformanceObserver((list, observer) => {
      const [entry] = list.getEntriesByName("first-contentful-paint");
      if (entry) observer.disconnect(), resolve(entry.startTime);
    }).observe({ type: "paint", buffered: true })));
    await context.close();
    return time;
  };
  // answers returns how long the first byte of a body takes over a connection that is open.
  const answers = (encoding) => (site) => new Promise((resolve, reject) => {
    const began = performance.now();
    http.get({ agent, host: "127.0.0.1", port: ports[site], headers: { Host: `localhost:${ports[site]}`, "Sec-Fetch-Dest": "document", "Accept-Encoding": encoding } }, (response) => {
      let first;
      response.on("data", () => { first ??= performance.now() - began; });
      response.on("end", () => resolve(first));
    }).on("error", reject);
  });

  console.log(`${"medians in milliseconds".padEnd(44)} ${"without".padStart(8)} ${"guard".padStart(8)} ${"more".padStart(8)} ${"ratio".padStart(7)}`);
  await compare("first byte", rounds * 20, answers("identity"));
  await compare("first byte, compressed", rounds * 20, answers("gzip"));
  await compare("first contentful paint, loopback", rounds, paints());
  await compare("first contentful paint, 40 ms and 10 Mbit/s", rounds, paints({ latency: 40, downloadThroughput: 10e6 / 8, uploadThroughput: 10e6 / 8 }));
} finally {
  agent.destroy();
  await browser?.close();
  if (caddy) await end(caddy);
  origin.close();
  rmSync(folder, { recursive: true, force: true });
}
