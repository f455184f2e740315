// The policy of hosts, in Chromium and Firefox: which requests to other hosts it stops,
// and that it stops nothing of the portal's own. The portal and two other hosts, one of
// which the charter declares, are one server here, which logs who calls it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startFirefox } from "./firefox.js";
import { browserArguments, buildCaddy, end, freePort, listen, runCaddy, until } from "./parts.js";

const browsers = {
  chromium: async () => {
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      // Pages to which the visitor goes back are kept whole, as for everybody.
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
      args: [...browserArguments, "--ignore-certificate-errors"], // also for what workers ask for
    });
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    return { newPage: () => context.newPage(), close: () => browser.close() };
  },
  // What the tests' Firefox has off, and pings, which are off in everybody's.
  firefox: () => startFirefox({ "network.prefetch-next": true, "browser.send_pings": true }),
};

// What a page can ask of another host, by a script in which `at(kind)` is an address
// there, and `add` puts HTML into the page. All but the last few go on while the page
// stays.
const kinds = {
  script: `add("<script>", { src: at() })`,
  "module script": `add("<script>", { type: "module", src: at() })`,
  "import()": `import(at()).catch(() => {})`,
  image: `add("<img>", { src: at() })`,
  "image of a set": `add("<img>", { srcset: at() + " 1x" })`,
  "image of a button": `add("<input>", { type: "image", src: at() })`,
  "image of an SVG": `add("<div>", { innerHTML: '<svg><image href="' + at() + '"/></svg>' })`,
  "style sheet": `add("<link>", { rel: "stylesheet", href: at() })`,
  "@import": `add("<style>", { textContent: '@import "' + at() + '";' })`,
  "url() of a style": `add("<div>", { style: 'width: 9px; height: 9px; background: url("' + at() + '")' })`,
  font: `new FontFace("f", 'url("' + at() + '")').load().catch(() => {})`,
  "fetch()": `fetch(at(), { mode: "no-cors" }).catch(() => {})`,
  "fetch() that outlives the page": `fetch(at(), { mode: "no-cors", keepalive: true }).catch(() => {})`,
  XMLHttpRequest: `const x = new XMLHttpRequest(); x.open("GET", at()); x.send()`,
  beacon: `navigator.sendBeacon(at(), "x")`,
  WebSocket: `new WebSocket(at().replace("https:", "wss:"))`,
  EventSource: `new EventSource(at())`,
  iframe: `add("<iframe>", { src: at() })`,
  object: `add("<object>", { data: at(), type: "text/html" })`,
  embed: `add("<embed>", { src: at(), type: "text/html" })`,
  video: `add("<video>", { src: at(), preload: "auto" })`,
  "poster of a video": `add("<video>", { poster: at() })`,
  audio: `add("<audio>", { src: at(), preload: "auto" })`,
  track: `const v = add("<video>", { crossOrigin: "anonymous" }); const t = document.createElement("track"); t.kind = "subtitles"; t.default = true; t.src = at(); v.append(t); t.track.mode = "showing"`,
  ping: `const a = add("<a>", { href: "#", ping: at() }); a.click()`,
  preload: `add("<link>", { rel: "preload", as: "script", href: at() })`,
  modulepreload: `add("<link>", { rel: "modulepreload", href: at() })`,
  prefetch: `add("<link>", { rel: "prefetch", href: at() })`,
  "redirect of one's own": `add("<img>", { src: "/redirect?to=" + encodeURIComponent(at()) })`,
  "audio worklet": `new AudioContext().audioWorklet.addModule(at()).catch(() => {})`,
  "frame without a source": `const f = add("<iframe>", {}); f.contentDocument.body.append(Object.assign(f.contentDocument.createElement("img"), { src: at() }))`,
  "frame of its text": `add("<iframe>", { srcdoc: '<img src="' + at() + '">' })`,
  "frame of a blob": `add("<iframe>", { src: URL.createObjectURL(new Blob(['<img src="' + at() + '">'], { type: "text/html" })) })`,
  "worker of a blob": `new Worker(URL.createObjectURL(new Blob(['fetch("' + at() + '", { mode: "no-cors" })'])))`,
  "worker that fetches": `new Worker("/worker.js?fetch=" + encodeURIComponent(at()))`,
  "worker that imports": `new Worker("/worker.js?import=" + encodeURIComponent(at()))`,
  "module worker that imports": `new Worker("/worker.js?static=" + encodeURIComponent(at()), { type: "module" })`,
  "shared worker": `new SharedWorker("/worker.js?fetch=" + encodeURIComponent(at()))`,
  "service worker": `navigator.serviceWorker.register("/worker.js?fetch=" + encodeURIComponent(at()), { scope: "/scope" + Math.random() })`,
};

// Those that one of the two has alone.
const more = {
  chromium: {
    "fetchLater()": `window.fetchLater && fetchLater(at(), { activateAfter: 0 })`,
    "paint worklet": `CSS.paintWorklet.addModule(at()).catch(() => {})`,
  },
  firefox: {},
};

// What leads the visitor elsewhere, or Chromium's speculation that it might: no policy
// stops it.
const leaving = {
  link: `add("<a>", { href: at() }).click()`,
  form: `add("<form>", { action: at(), method: "post" }).submit()`,
  script: `location.assign(at())`,
  "meta refresh": `add("<meta>", { httpEquiv: "refresh", content: "0; url=" + at() })`,
};
const speculation = `add("<script>", { type: "speculationrules", textContent: JSON.stringify({ prefetch: [{ source: "list", urls: [at()] }] }) })`;

// Over http, what browsers keep for encrypted pages; and workers, whose script no request
// tells from others there, so that their hosts are those of all visitors.
const encryptedOnly = ["audio worklet", "service worker", "fetchLater()", "paint worklet"];
const shared = {
  chromium: ["worker that fetches", "worker that imports", "shared worker"],
  firefox: ["worker that fetches", "worker that imports", "module worker that imports", "shared worker"],
};

// Functions of pages that call no other host; each says whether it works.
const functions = {
  "inline script": `true`,
  "inline handler": `(() => { const b = add("<div>", { innerHTML: '<b onclick="window.clicked = true">' }).firstChild; b.click(); return window.clicked })()`,
  eval: `eval("1 + 1") === 2`,
  Function: `new Function("return 2")() === 2`,
  "a timer of text": `new Promise((r) => { window.timed = r; setTimeout("window.timed(true)", 0) })`,
  wasm: `WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).then(() => true)`,
  "javascript: URL": `new Promise((r) => { window.ran = r; add("<a>", { href: "javascript:void window.ran(true)" }).click() })`,
  "inline style": `(add("<style>", { textContent: "b { color: rgb(1, 2, 3) }" }), getComputedStyle(add("<b>", {})).color === "rgb(1, 2, 3)")`,
  "style attribute": `getComputedStyle(add("<div>", { innerHTML: '<b style="color: rgb(1, 2, 3)">' }).firstChild).color === "rgb(1, 2, 3)"`,
  "template of inline text": `(() => { add("<script>", { type: "text/ng-template", id: "t", textContent: "{{1 + 1}}" }); return new Function("return " + document.getElementById("t").textContent.slice(2, -2))() === 2 })()`,
  "data: image": `loads(add("<img>", { src: "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" }))`,
  "blob: script": `loads(add("<script>", { src: blob("window.blobbed = 1") })).then(() => window.blobbed === 1)`,
  "blob: import": `import(blob("export default 2")).then((m) => m.default === 2)`,
  "data: script": `loads(add("<script>", { src: "data:text/javascript,window.dated=1" })).then(() => window.dated === 1)`,
  "blob: worker": `answers(new Worker(blob("postMessage(1)")))`,
  "data: worker": `answers(new Worker("data:text/javascript,postMessage(1)"))`,
  "own worker": `answers(new Worker("/worker.js?post=1"))`,
  "own module worker": `answers(new Worker("/worker.js?post=1", { type: "module" }))`,
  "own shared worker": `answers(new SharedWorker("/worker.js?post=1").port)`,
  "own WebSocket": `new Promise((r) => { const s = new WebSocket("wss://" + location.host + "/socket"); s.onopen = () => r(true); s.onerror = () => r(false) })`,
  "own EventSource": `new Promise((r) => { const s = new EventSource("/events"); s.onmessage = () => { s.close(); r(true) }; s.onerror = () => r(false) })`,
  "own fetch()": `fetch("/page").then((r) => r.ok)`,
  "own frame": `told(add("<iframe>", { src: "/told" }))`,
  "own object": `told(add("<object>", { data: "/told", type: "text/html" }))`,
  "frame of its text": `told(add("<iframe>", { srcdoc: "<script>parent.postMessage('told', '*')</" + "script>" }))`,
  "blob: frame": `told(add("<iframe>", { src: blob("<script>parent.postMessage('told', '*')</" + "script>", "text/html") }))`,
  "data: frame": `told(add("<iframe>", { src: "data:text/html,<script>parent.postMessage('told', '*')</" + "script>" }))`,
  "stream of a canvas": `new Promise((r) => { const c = document.createElement("canvas"); c.getContext("2d").fillRect(0, 0, 9, 9); const v = add("<video>", { muted: true, srcObject: c.captureStream(9) }); v.onloadedmetadata = () => r(true); v.onerror = () => r(false); v.play().catch(() => {}); setInterval(() => c.getContext("2d").fillRect(0, 0, 9, 9), 50) })`,
};

// In another site's frame, Chromium starts no shared worker in these tests, whatever the
// policy.
const { "own shared worker": _, ...framedFunctions } = functions;

const tools = `
  const add = (tag, attributes) => { const element = document.createElement(tag.slice(1, -1)); for (const [name, value] of Object.entries(attributes)) if (name === "style") element.setAttribute(name, value); else element[name] = value; if (attributes.ping) element.setAttribute("ping", attributes.ping); document.body.append(element); return element };
  const blob = (text, type = "text/javascript") => URL.createObjectURL(new Blob([text], { type }));
  const loads = (element) => new Promise((r) => { element.onload = () => r(true); element.onerror = () => r(false) });
  const answers = (worker) => new Promise((r) => { worker.onmessage = () => r(true); worker.onerror = () => r(false) });
  const told = (frame) => new Promise((r) => addEventListener("message", (e) => e.data === "told" && e.source === frame.contentWindow && r(true)));
`;

describe("documents and the hosts that they reach", () => {
  let folder, caddy, origin, ports;
  const hits = [];
  const running = {};
  const seen = []; // what the portal was asked for: its path and the conditions

  // page answers a document of the portal's.
  const html = (body) => `<!DOCTYPE html><meta charset="utf-8"><title>portal</title><link rel="icon" href="data:,"><body>${body}`;
  const inline = (script) => `<script>${tools}${script}</script>`;
  const declared = (visit, kind) => `https://declared.example:${ports.https}/hit/${visit}/${encodeURIComponent(kind)}`;

  function answer(request, response) {
    const url = new URL(request.url, `https://${request.headers.host}`);
    const query = Object.fromEntries(url.searchParams);
    const send = (type, body, more = {}) => response.writeHead(200, { "Content-Type": type, ...more }).end(body);
    if (url.pathname.startsWith("/hit/")) {
      const [, , visit, kind] = url.pathname.split("/");
      hits.push({ host: url.hostname, visit, kind: decodeURIComponent(kind) });
      if (visit.endsWith("leaving")) return response.writeHead(204).end(); // the page stays
      return response.writeHead(200, { "Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store" }).end();
    }
    if (!url.pathname.startsWith("/terms/")) seen.push(`${url.pathname}${request.headers["if-none-match"] ? " known" : ""}`);
    const kept = { "Cache-Control": "public, max-age=600, stale-while-revalidate=600", ETag: '"1"' };
    switch (url.pathname.split("/")[1]) {
      case "kinds":
        return send("text/html", html(inline(Object.entries({ ...kinds, ...more[query.browser] })
          .map(([kind, script]) => `for (const host of ["declared", "foreign"]) try { const at = () => "https://" + host + ".example:${ports.https}/hit/${query.visit}/${encodeURIComponent(kind)}"; ${script} } catch (error) { console.log(${JSON.stringify(kind)}, error) }`)
          .join("\n"))));
      case "functions":
        return send("text/html", html(inline(`window.results = {}; Promise.all(Object.entries({ ${Object.entries(query.framed ? framedFunctions : functions).map(([name, script]) => `${JSON.stringify(name)}: () => ${script}`).join(",\n")} }).map(async ([name, works]) => {
          try { results[name] = await Promise.race([works(), new Promise((r) => setTimeout(r, 30000, "late"))]) } catch (error) { results[name] = String(error) } })).then(() => { window.done = true; if (parent !== window) parent.postMessage(results, "*") })`)));
      case "framing": // at another host
        return send("text/html", html(`<script>addEventListener("message", ({ data }) => { window.results = data; window.done = true })</script><iframe src="https://portal.city.example:${ports.https}/functions?framed=1"></iframe>`));
      case "told":
        return send("text/html", html(`<script>parent.postMessage("told", "*")</script>`));
      case "strict":
        return send("text/html", html(`<script nonce="abc">window.nonced = true; const s = document.createElement("script"); s.src = "${declared(query.visit, "script")}"; document.body.append(s); const own = document.createElement("script"); own.src = "/own.js"; document.body.append(own)</script><script>window.bare = true</script><img src="/own.png">`), {
          "Content-Security-Policy": "script-src 'nonce-abc' 'strict-dynamic'; object-src 'none'",
          "Content-Security-Policy-Report-Only": "img-src 'none'; report-uri /own-report",
        });
      case "own.js":
        return send("text/javascript", "window.dynamic = true");
      case "worker.js":
        return send("text/javascript", (query.post ? `try { postMessage(1) } catch {} self.onconnect = (e) => e.ports[0].postMessage(1);` : "") + (query.fetch ? `fetch(${JSON.stringify(query.fetch)}, { mode: "no-cors" }).catch(() => {});` : "") +
          (query.import ? `importScripts(${JSON.stringify(query.import)});` : "") + (query.static ? `import ${JSON.stringify(query.static)};` : ""));
      case "redirect":
        return response.writeHead(302, { Location: query.to }).end();
      case "events":
        return send("text/event-stream", "data: 1\n\n");
      case "kept":
        if (request.headers["if-none-match"] === '"1"') return response.writeHead(304, kept).end();
        return send("text/html", html(inline(`addEventListener("pageshow", (e) => { window.restored = e.persisted })`)), kept);
      case "plain":
        return send("text/html", html(""), { "Cache-Control": "no-store" });
      case "ahead":
        return send("text/html", html(url.pathname.endsWith("/link") ? `<link rel="prefetch" href="${query.at}">` : `<script type="speculationrules">{ "${url.pathname.split("/")[2]}": [{ "source": "list", "urls": ["${query.at}"], "eagerness": "immediate" }] }</script>`));
      case "caching.js":
        return send("text/javascript", `self.addEventListener("install", (e) => e.waitUntil(caches.open("1").then((c) => c.add("/kept/cached")))); self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim())); self.addEventListener("fetch", (e) => { if (e.request.url.includes("/kept/cached")) e.respondWith(caches.match(e.request)) });`);
      case "static":
        if (request.headers["if-none-match"] === '"1"') return response.writeHead(304, { ...kept, "Cache-Control": "public, max-age=31536000, immutable" }).end();
        return send("text/javascript", "window.tracked = true", { ETag: '"1"', "Cache-Control": "public, max-age=31536000, immutable" });
      case "tracked":
        return send("text/html", html(`<script src="/static/stats.js"></script>`));
      case "svg":
        return send("image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><image href="${declared(query.visit, "svg " + query.in)}" width="9" height="9"/><script>fetch("${declared(query.visit, "svg script " + query.in)}", { mode: "no-cors" })</script></svg>`);
      case "xhtml":
        return send("application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body><img src="${declared(query.visit, "xhtml " + query.in)}"/><script>fetch("${declared(query.visit, "xhtml script " + query.in)}", { mode: "no-cors" })</script></body></html>`);
      case "xml":
        return send("application/xml", `<?xml version="1.0"?><x xmlns:h="http://www.w3.org/1999/xhtml"><h:img src="${declared(query.visit, "xml " + query.in)}"/><h:script>fetch("${declared(query.visit, "xml script " + query.in)}", { mode: "no-cors" })</h:script></x>`);
      case "untyped":
        return response.writeHead(200).end(`<!DOCTYPE html><img src="${declared(query.visit, "untyped " + query.in)}"><script>fetch("${declared(query.visit, "untyped script " + query.in)}", { mode: "no-cors" })</script>`);
      case "forms": {
        const at = (form, where) => `/${form}?visit=${query.visit}&in=${where}`;
        return send("text/html", html(["svg", "xhtml", "xml", "untyped"].map((form) => `<iframe src="${at(form, "iframe")}"></iframe><object data="${at(form, "object")}"></object><embed src="${at(form, "embed")}">`).join("")));
      }
    }
    return response.writeHead(200, { "Content-Type": "text/html" }).end(html(""));
  }

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-documents-"));
    ports = { https: await freePort(), http: await freePort(), origin: await freePort() };
    origin = http.createServer(answer).on("upgrade", (request, socket) => {
      const { pathname, hostname } = new URL(request.url, `https://${request.headers.host}`);
      const [, what, visit, kind] = pathname.split("/");
      if (what === "hit") hits.push({ host: hostname, visit, kind: decodeURIComponent(kind) });
      socket.on("error", () => {});
      if (what !== "socket") return socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      const key = execFileSync("openssl", ["dgst", "-sha1", "-binary"], { input: request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" }).toString("base64");
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
    });
    await listen(origin, ports.origin);
    writeFileSync(path.join(folder, "Caddyfile"), `{
      admin off
      persist_config off
      skip_install_trust
      storage file_system ${folder}/storage
      storage_clean_interval off
      http_port ${ports.http}
      https_port ${ports.https}
      auto_https disable_redirects
    }
    (portal) {
      bind 127.0.0.1
      cookie_charter {
        preset opendatasoft
        host https://declared.example:${ports.https} wss://declared.example:${ports.https} {
          purpose "Counts visitors"
          category statistics
          consent matomo
          script /static/stats.js
        }
        hosts
      }
      reverse_proxy 127.0.0.1:${ports.origin}
    }
    https://portal.city.example {
      tls internal
      import portal
    }
    http://plain.city.example:${ports.http} {
      import portal
    }
    https://declared.example, https://foreign.example {
      bind 127.0.0.1
      tls internal
      reverse_proxy 127.0.0.1:${ports.origin}
    }`);
    caddy = await runCaddy(buildCaddy(), path.join(folder, "Caddyfile"), {}, ports.https, ["portal.city.example", "declared.example", "foreign.example"]);
    for (const [name, launch] of Object.entries(browsers)) running[name] = await launch();
  });
  after(async () => {
    for (const browser of Object.values(running)) await browser.close();
    if (caddy) await end(caddy);
    origin?.close();
    origin?.closeAllConnections();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const site = () => `https://portal.city.example:${ports.https}`;
  const plain = () => `http://plain.city.example:${ports.http}`;

  // called returns the kinds of requests of a visit that have reached a host.
  const called = (visit, host = "declared") => [...new Set(hits.filter((hit) => hit.visit === visit && hit.host === `${host}.example`).map(({ kind }) => kind))].sort();

  // settle waits until a host was called as it should be, or for as long as calls that
  // must not come would take.
  const settle = (visit, want) => want.length === 0 ? sleep(1500) : until(() => called(visit).length >= want.length, () => `${want} are called, not only ${called(visit)}`);

  // change stores a visitor's answer as a banner does. Chromium has stored what a script writes
  // once the script reads, which a visit can outrun.
  const change = (page, given) => page.evaluate((given) => {
    document.cookie = given === null ? "cookies_preferences=; Max-Age=0; Path=/" : `cookies_preferences=${JSON.stringify({ matomo: given })}; Path=/`;
    return document.cookie;
  }, given);
  const answerIn = (page, given, at = site()) => page.goto(at + "/plain").then(() => change(page, given));

  // move leads a page elsewhere as a visitor does, and waits until it is there.
  async function move(page, script, at) {
    await page.evaluate(script).catch(() => {}); // the page goes while it answers
    await sleep(50);
    await until(() => page.evaluate((at) => location.href.includes(at) && document.readyState === "complete", at).catch(() => false), () => `${at} is reached`);
  }

  for (const name of Object.keys(browsers)) {
    test(`${name}: no kind of request reaches another host without an answer, and each does with one`, async () => {
      const page = await running[name].newPage();
      const all = Object.keys({ ...kinds, ...more[name] }).sort();
      await answerIn(page, null);
      await page.goto(`${site()}/kinds?browser=${name}&visit=${name}-unanswered`, { waitUntil: "domcontentloaded" });
      await sleep(3000);
      await answerIn(page, true);
      await page.goto(`${site()}/kinds?browser=${name}&visit=${name}-granted`, { waitUntil: "domcontentloaded" });
      await settle(`${name}-granted`, all);
      await sleep(500);
      assert.deepEqual(called(`${name}-unanswered`), [], "unanswered");
      assert.deepEqual(called(`${name}-granted`), all, "granted");
      for (const visit of ["unanswered", "granted"]) assert.deepEqual(called(`${name}-${visit}`, "foreign"), [], `undeclared, ${visit}`);
      await page.close();
    });

    test(`${name}: what leads elsewhere is not stopped`, async () => {
      const page = await running[name].newPage();
      const all = [...Object.keys(leaving), ...(name === "chromium" ? ["speculation"] : [])].sort();
      for (const kind of all) {
        await answerIn(page, null);
        await page.evaluate(`${tools} const at = () => "https://foreign.example:${ports.https}/hit/${name}-leaving/${encodeURIComponent(kind)}"; setTimeout(() => { ${{ ...leaving, speculation }[kind]} }, 0); 1`);
        await until(() => called(`${name}-leaving`, "foreign").includes(kind), () => `${kind} leads elsewhere`);
      }
      assert.deepEqual(called(`${name}-leaving`, "foreign"), all);
      await page.close();
    });

    test(`${name}: what the portal does itself works, also in a frame of another site`, async () => {
      const page = await running[name].newPage();
      const results = async (at) => {
        await page.goto(at, { waitUntil: "domcontentloaded" });
        await until(() => page.evaluate(() => window.done), () => "all have been tried");
        return page.evaluate(() => window.results);
      };
      const works = (functions) => Object.fromEntries(Object.keys(functions).map((each) => [each, true]));
      assert.deepEqual(await results(`${site()}/functions`), works(functions));
      assert.deepEqual(await results(`https://foreign.example:${ports.https}/framing`), works(framedFunctions));
      await page.close();
    });

    test(`${name}: the portal's own policies go on`, async () => {
      const page = await running[name].newPage();
      for (const [visit, given, want] of [["strict-unanswered", null, []], ["strict-granted", true, ["script"]]]) {
        await answerIn(page, given);
        seen.length = 0;
        await page.goto(`${site()}/strict?visit=${name}-${visit}`);
        await settle(`${name}-${visit}`, want);
        assert.deepEqual(called(`${name}-${visit}`), want, visit);
        assert.deepEqual(await page.evaluate(() => [window.nonced, window.bare, window.dynamic]), [true, undefined, true]);
        await until(() => seen.includes("/own-report"), () => "its reports come");
      }
      await page.close();
    });

    test(`${name}: documents of every form have the policy, wherever they show`, async () => {
      const page = await running[name].newPage();
      const top = ["svg", "xhtml", "xml", "untyped"].flatMap((form) => [`${form} top`, `${form} script top`]);
      const framed = ["svg", "xhtml", "xml", "untyped"].flatMap((form) => ["iframe", "object", "embed"].flatMap((where) => [`${form} ${where}`, `${form} script ${where}`]));
      for (const [visit, given] of [["forms-unanswered", null], ["forms-granted", true]]) {
        await answerIn(page, given);
        for (const [i, form] of ["svg", "xhtml", "xml", "untyped"].entries()) {
          await page.goto(`${site()}/${form}?visit=${name}-${visit}&in=top`).catch(() => {});
          if (given) await settle(`${name}-${visit}`, top.slice(0, 2 * i + 2)); // what is under way when it is left is lost
        }
        await page.goto(`${site()}/forms?visit=${name}-${visit}`);
        await settle(`${name}-${visit}`, given ? [...top, ...framed] : []);
        assert.deepEqual(called(`${name}-${visit}`), given ? [...top, ...framed].sort() : [], visit);
      }
      await page.close();
    });

    test(`${name}: over plain http`, async () => {
      const page = await running[name].newPage();
      for (const [visit, given] of [["http-unanswered", null], ["http-granted", true]]) {
        await answerIn(page, given, plain());
        await page.goto(`${plain()}/kinds?browser=${name}&visit=${name}-${visit}`, { waitUntil: "domcontentloaded" });
        const want = given ? Object.keys({ ...kinds, ...more[name] }).filter((kind) => !encryptedOnly.includes(kind) && !shared[name].includes(kind)).sort() : [];
        await settle(`${name}-${visit}`, want);
        await sleep(500);
        assert.deepEqual(called(`${name}-${visit}`), want, visit);
        assert.deepEqual(called(`${name}-${visit}`, "foreign"), [], `undeclared, ${visit}`);
      }
      await page.close();
    });

    test(`${name}: which policy a page has that the browser has kept`, async () => {
      // Each begins with an answer, in a tab of its own.
      let page;
      let number = 0;
      const begin = async (given) => {
        await page?.close();
        page = await running[name].newPage();
        await answerIn(page, given);
      };
      const visit = (at) => move(page, `location.assign("${at}")`, at);
      // calls tells whether the page that shows can call the declared host.
      const calls = async () => {
        const of = `${name}-kept-${++number}`;
        await page.evaluate((address) => new Promise((resolve) => {
          const image = new Image();
          image.onload = image.onerror = () => resolve(); // it is no image
          image.src = address;
        }), declared(of, "image"));
        return called(of).length > 0;
      };
      const results = {};

      for (const [given, what] of [[true, "visited"], [false, "visited after a refusal"], [true, "visited after a grant"]]) {
        await begin(given);
        seen.length = 0;
        await visit("/kept/again");
        results[what] = [await calls(), ...seen];
      }
      for (const [first, then, what] of [[true, false, "gone back to after a refusal"], [false, true, "gone back to after a grant"]]) {
        await begin(first);
        await visit(`/kept/back-${first}`);
        await visit("/plain/2");
        await change(page, then);
        await move(page, `history.back()`, `/kept/back-${first}`);
        results[what] = [await calls(), (await page.evaluate(() => window.restored)) ? "kept whole" : "loaded"];
      }
      await begin(false);
      await page.evaluate(() => fetch("/kept/fetched").then((response) => response.text()));
      seen.length = 0;
      await visit("/kept/fetched");
      results["visited once it was fetched"] = [await calls(), ...seen];

      for (const what of ["prefetch", "prerender", "link"]) {
        const looksAhead = what === "link" || name === "chromium";
        for (const [first, then, when] of [[true, false, "after a refusal"], [false, true, "after a grant"]]) {
          await begin(first);
          const at = `/kept/${what}-${then}`;
          seen.length = 0;
          await visit(`/ahead/${what}?at=${encodeURIComponent(at)}`);
          await (looksAhead ? until(() => seen.includes(at), () => `${at} is asked for ahead`) : sleep(1000));
          const wasAsked = seen.includes(at);
          await change(page, then);
          seen.length = 0;
          await visit(at);
          results[`${what} ${when}`] = [await calls(), wasAsked ? "asked for ahead" : "not ahead", ...seen];
        }
      }
      await begin(false);
      await page.evaluate(() => navigator.serviceWorker.register("/caching.js").then(() => navigator.serviceWorker.ready).then(() => navigator.serviceWorker.controller || new Promise((r) => navigator.serviceWorker.addEventListener("controllerchange", r))).then(() => 1));
      await visit("/kept/cached");
      results["out of a service worker's cache, refused"] = [await calls()];
      await page.evaluate(() => navigator.serviceWorker.getRegistration().then((registration) => registration.unregister()));
      await page.close();
      const speculated = (calls, at) => (name === "chromium" ? [calls, "asked for ahead"] : [!calls, "not ahead", at]);
      assert.deepEqual(results, {
        visited: [true, "/kept/again"],
        "visited after a refusal": [false, "/kept/again"],
        "visited after a grant": [true, "/kept/again"],
        "gone back to after a refusal": [true, "kept whole"],
        "gone back to after a grant": [false, "kept whole"],
        "visited once it was fetched": [false, "/kept/fetched"],
        "prefetch after a refusal": speculated(true, "/kept/prefetch-false"),
        "prefetch after a grant": speculated(false, "/kept/prefetch-true"),
        "prerender after a refusal": speculated(true, "/kept/prerender-false"),
        "prerender after a grant": speculated(false, "/kept/prerender-true"),
        "link after a refusal": [false, "asked for ahead", "/kept/link-false"],
        "link after a grant": [true, "asked for ahead", "/kept/link-true"],
        "out of a service worker's cache, refused": [false],
      });
    });

    test(`${name}: a script of a row comes to who allows it, and out of no cache to others`, async () => {
      const page = await running[name].newPage();
      for (const given of [null, true, false, true, null]) {
        await answerIn(page, given);
        await page.goto(site() + "/tracked");
        assert.equal(await page.evaluate(() => window.tracked), given || undefined, String(given));
      }
      await page.close();
    });
  }
});
