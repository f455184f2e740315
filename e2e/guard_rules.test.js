// The script of the guard judges what scripts write by the corpus of Set-Cookie lines, as the
// Go code judges what portals send: one corpus drives both. It runs without a browser, with an
// accessor that records what it lets through. What it tells of keys is a corpus, too.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import vm from "node:vm";
import { committed, shorten } from "./guard/shorten.js";
import { buildCaddy, end, freePort, listen, root, runCaddy } from "./parts.js";

const sites = path.join(root, "e2e/guard/Caddyfile");
const [corpus, keys] = ["set_cookie", "keys"].map((name) => readFileSync(path.join(root, `testdata/${name}.jsonl`), "utf8").trim().split("\n").map((line) => JSON.parse(line)));

// realm runs the script in a realm of its own. It returns the document, and what reached the
// browser of what was written to it.
function realm([script, tag], { jar = "", state, answer, stored = [] } = {}) {
  const written = [], asked = [], events = [], sent = [], timers = [], listeners = {};
  class EventTarget {
    addEventListener(type, listener) { listeners[type] = listener; }
    dispatchEvent(event) { events.push(event); }
  }
  class Document extends EventTarget {
    get cookie() { return jar; }
    set cookie(line) { written.push(line); }
    get defaultView() { return context; }
    get visibilityState() { return "hidden"; }
    write() {}
  }
  class Response {
    async json() { return answer(); }
  }
  const document = new Document();
  const [, version, stated, seen] = /\?v=(\w+)" data-state="(\w+)" data-seen="(\d+)"/.exec(tag);
  document.currentScript = { src: `https://x.example/guard.js?v=${version}`, dataset: { state: state ?? stated, seen }, remove() {} };
  const context = vm.createContext({
    document, Document, EventTarget, Response, navigator: { sendBeacon: (url, names) => sent.push(names) }, setInterval() {}, setTimeout: (then, wait) => timers.push({ then, wait }), addEventListener() {},
    location: { hostname: "x.example", pathname: "/a/b", protocol: "https:" },
    CustomEvent: class { constructor(type, { detail }) { Object.assign(this, { type, detail }); } },
    fetch: async (url) => { asked.push(url); return new Response(); },
    open() {},
    Storage: class { getItem() {} setItem() {} removeItem() {} },
    IDBFactory: class { open() {} databases() {} deleteDatabase() {} },
    IDBDatabase: class { close() {} },
    localStorage: Object.fromEntries(stored.map((key) => [key, "secret"])), sessionStorage: {},
  });
  context.window = context;
  for (const kind of ["IFrame", "Frame", "Object", "Embed"]) context[`HTML${kind}Element`] = class {};
  vm.runInContext(script, context);
  return {
    document, asked, events, sent, timers, leave: () => listeners.visibilitychange(), setJar: (now) => { jar = now; },
    // writes returns what reaches the browser of a line.
    writes(line) {
      written.length = 0;
      document.cookie = line;
      return written.at(-1) ?? "";
    },
    written,
  };
}

// parse returns the parts of a line: its pair, attributes but for empty ones and those of its
// lifetime, and these.
function parse(line) {
  const [pair, ...rest] = line.split(";");
  const attributes = rest.filter((part) => part !== ""), isLifetime = (part) => /^[ \t]*(expires|max-age)[ \t]*(=|$)/i.test(part);
  return { pair, name: pair.split("=")[0].trim(), others: attributes.filter((part) => !isLifetime(part)), lifetimes: attributes.filter(isLifetime) };
}

// Where the script differs from the Go code on purpose: why, and what of a line that Go lets
// leave reaches the browser then. Each says whether it holds for a line.
const exceptions = {
  "a lifetime is written anew, as one Max-Age": (line, leaves, left) => {
    const { pair, others, lifetimes } = parse(left), meant = parse(leaves);
    const [, written] = /^ Max-Age=([1-9]\d*)$/.exec(lifetimes.join(";")) ?? [], isLast = left.endsWith(lifetimes[0]);
    const ages = meant.lifetimes.filter((part) => /max-age/i.test(part)), dates = meant.lifetimes.filter((part) => /expires/i.test(part));
    const age = ages.length ? +ages.at(-1).split("=")[1] : (Date.parse(dates.at(-1)?.split("=")[1]) - Date.now()) / 1000;
    const isSame = Math.abs(+written - age) < 60, isUncertain = parse(line).lifetimes.length > 0 && !(age >= 0) && +written <= 14 * 86400;
    return isLast && pair === meant.pair && others.join() === meant.others.join() && (isSame || isUncertain);
  },
  "one that Date.parse does not read, or that is no number, ends with the session": (line, leaves, left) => {
    const { pair, others, lifetimes } = parse(left), meant = parse(leaves);
    const isRead = (part) => (/expires/i.test(part) ? Date.parse(part.split("=")[1]) > 0 : /=[ \t]*-?\d{1,99}[ \t]*$/.test(part));
    return leaves !== "" && pair === meant.pair && others.join() === meant.others.join() && lifetimes.length === 0 && !parse(line).lifetimes.some(isRead);
  },
  "a deletion is written so that it deposits nothing, whatever browsers read in it": (line, leaves, left) => {
    const { name, others, lifetimes } = parse(line);
    return left === [`${name}=`, ...others, " Max-Age=0"].join(";") && (leaves === line || lifetimes.length > 1 || lifetimes.some((part) => /expires/i.test(part)) || line.includes("\t"));
  },
  "what is too long for browsers is left to them": (line, leaves, left) => leaves === "" && Buffer.byteLength(parse(line).pair) > 4096 && left === line,
};

describe("the rules of the guard's script", () => {
  // Of each site, the script and its tag in a document.
  const made = {};
  before(async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    const environment = { STORAGE: folder };
    for (const name of ["HTTP_PORT", "HTTPS_PORT", "ORIGIN_PORT"]) environment[name] = await freePort();
    const origin = http.createServer((request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!DOCTYPE html>"));
    let caddy;
    try {
      await listen(origin, environment.ORIGIN_PORT);
      caddy = await runCaddy(buildCaddy(), sites, environment, environment.HTTP_PORT);
      for (const site of ["corpus", "kinds", "told"]) {
        const get = async (at) => {
          const response = await new Promise((resolve, reject) => http.get({ host: "127.0.0.1", port: environment.HTTP_PORT, path: at, headers: { Host: `${site}.example` } }, resolve).once("error", reject));
          return (await response.setEncoding("utf8").toArray()).join("");
        };
        const [tag, script] = /<script src="([^"]*)".*?<\/script>/.exec(await get("/"));
        made[site] = [await get(script), tag];
      }
    } finally {
      if (caddy) await end(caddy);
      origin.close();
      origin.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("the corpus", () => {
    const { writes } = realm(made.corpus);
    const wrong = [], used = {};
    let same = 0;
    for (const { line: raw, leaves: leavesRaw } of corpus) {
      const [line, leaves] = [raw, leavesRaw].map((text) => Buffer.from(text, "latin1").toString());
      const left = writes(line);
      if (!Buffer.from(line).equals(Buffer.from(raw, "latin1"))) {
        // No text of a script is other than UTF-8; nothing may leave all the same.
        if (left && !leaves) wrong.push({ line, left });
        continue;
      }
      const why = left === leaves ? "" : Object.keys(exceptions).find((why) => exceptions[why](line, leaves, left));
      if (why === "") same++;
      else if (why) used[why] = (used[why] ?? 0) + 1;
      else wrong.push({ line: line.slice(0, 120), leaves: leaves.slice(-120), left: left.slice(-120) });
    }
    console.log(`${corpus.length} lines: ${same} leave as from the portal; ${JSON.stringify(used, null, 1)}`);
    assert.deepEqual(wrong, []);
    assert.ok(same > 250);
    assert.deepEqual(Object.keys(used).sort(), Object.keys(exceptions).sort(), "each exception is needed");
  });

  test("what is told of keys", () => {
    const tells = (...stored) => {
      const { leave, sent } = realm(made.told, { stored });
      leave();
      return sent.join("").split("\n").filter((line) => line);
    };
    for (const { key, shown, why } of keys) assert.deepEqual(tells(key), shown ? [`@${shown}`] : [], why);
    assert.deepEqual(tells("declared_someone", "declared_user_42", "panel7", "panel8"), ["@declared_*", "@declared_user_*", "@panel*"]);
  });

  test("lifetimes, prefixes and rows that are only monitored", () => {
    const { writes } = realm(made.kinds);
    const at = (seconds) => new Date(Date.now() + seconds * 1000).toUTCString();
    for (const [line, left] of Object.entries({
      "needed=1": "needed=1",
      "needed=1; max-age=3600": "needed=1; Max-Age=3600",
      "needed=1; max-age=3601; path=/": "needed=1; path=/; Max-Age=3600",
      [`needed=1; expires=${at(9999)}`]: "needed=1; Max-Age=3600",
      [`needed=1; expires=${at(-9999)}`]: "needed=; Max-Age=0",
      [`needed=1; max-age=60; expires=${at(-9999)}`]: "needed=1; Max-Age=60",
      [`needed=1; max-age=${"9".repeat(100)}; expires=${at(9999)}`]: "needed=1; Max-Age=3600",
      "needed=1; max-age=+60; path=/": "needed=1; path=/",
      "needed=1; max-age=60; max-age=; path=/": "needed=1; path=/; Max-Age=60",
      "needed=1; max-agent=60;; secure": "needed=1; max-agent=60; secure",
      "needed=1; expires=never; path=/": "needed=1; path=/",
      "visit=1; max-age=60; path=/": "visit=1; path=/",
      [`visit=1; path=/; expires=${at(60)}`]: "visit=1; path=/",
      "visit=1; max-age=0": "visit=; Max-Age=0",
      "long=1": "long=1",
      "lon=1": "",
      "longer=1": "", // of a longer prefix
      "longer.literals=1": "",
      "longer.literal=1": "longer.literal=1",
      "long*=1": "long*=1",
      "longer*=1": "",
      "watched=1; max-age=9999": "watched=1; Max-Age=9999",
      "digits1=1": "digits1=1",
      "digits98=1": "digits98=1",
      "digits=1": "digits=1",
      "digit=1": "",
      "digits0=1": "",
      "digits/=1": "",
      "charter_preference=all": "", // the page's alone to write
      "__Host-charter_preference=all; secure; path=/": "",
      "charter_preference=; max-age=0": "charter_preference=; Max-Age=0",
    })) assert.equal(writes(line), left, line);
    assert.equal(writes({ toString: () => "needed=object" }), "needed=object");
    assert.match(writes(`needed=1; expires=${at(60)}`), /^needed=1; Max-Age=(5\d|60)$/);
    let times = 0;
    assert.equal(writes({ toString: () => (times++ ? "unknown=1" : "needed=once") }), "needed=once");
    assert.throws(() => writes(Symbol("needed=1")), { name: "TypeError" });
  });

  test("what scripts read", () => {
    const guarded = realm(made.kinds, { jar: "needed=1;unknown=2; longer.x=3; nameless; = nameless; long=a=b; charter_preference=4" });
    assert.equal(guarded.document.cookie, "needed=1; long=a=b; charter_preference=4");
    guarded.setJar("");
    assert.equal(guarded.document.cookie, "");
  });

  test("while it is not known what is allowed", async () => {
    let allowed;
    const [script, tag] = made.kinds;
    const guarded = realm([script, tag.replace(/data-seen="\d+"/, 'data-seen="1"')], { state: "101", answer: () => ({ state: allowed, allowed: { statistics: allowed === "101" } }) });
    guarded.setJar("long=1; longer=2; unknown=3");
    for (const line of ["needed=1", "longer.x=1", "longer=9", "unknown=1"]) guarded.document.cookie = line;
    assert.deepEqual(guarded.written.filter((line) => !/Max-Age=0/.test(line)), ["needed=1"], "nothing optional is written");
    assert.equal(guarded.document.cookie, "long=1; longer=2", "what was allowed is read");
    assert.equal(guarded.written.some((line) => line.startsWith("longer")), false, "nor removed");
    allowed = "101";
    await sleep(1);
    assert.deepEqual(guarded.asked, [`https://x.example/guard?v=${/v=(\w+)/.exec(tag)[1]}`]);
    assert.deepEqual(guarded.written.filter((line) => !/Max-Age=0/.test(line)), ["needed=1", "longer.x=1"], "what was held is written, but over nothing");
    assert.deepEqual(JSON.parse(JSON.stringify(guarded.events)), [{ type: "cookie-charter", detail: { allowed: { statistics: true } } }]);
  });

  test("a question without an answer is asked less and less often", async () => {
    const [script, tag] = made.kinds;
    const { asked, timers } = realm([script, tag.replace(/data-seen="\d+"/, 'data-seen="1"')], { answer: () => { throw new Error("none"); } });
    for (let i = 0; i < 40; i++) {
      await new Promise(setImmediate); // when all promises are kept
      assert.deepEqual([asked.length, timers.length], [i + 1, i + 1]);
      timers[i].then();
    }
    const waits = timers.map(({ wait }) => wait);
    assert.deepEqual(waits.toSorted((a, b) => a - b), waits);
    assert.deepEqual([waits[0], waits.at(-1) > 600_000, waits.at(-1) < 3_600_000], [50, true, true]);
  });

  test("nothing is removed either", async () => {
    const [script, tag] = made.kinds;
    const guarded = realm([script, tag.replace(/data-seen="\d+"/, 'data-seen="1"')], { jar: "longer=2; unknown=3", answer: () => ({ state: "100", allowed: {} }) });
    const removed = () => [...new Set(guarded.written.map((line) => line.split("=")[0]))];
    assert.deepEqual(removed(), ["unknown"], "but what no answer allows");
    await sleep(1);
    assert.deepEqual(removed(), ["unknown", "longer"]);
  });

  test("a refusal removes from everywhere what can be seen", async () => {
    const [script, tag] = made.kinds;
    const guarded = realm([script, tag], { jar: "longer=2; unknown=3; needed=4" });
    const places = (name) => guarded.written.filter((line) => line.startsWith(`${name}=;`)).map((line) => line.replace(/^.*?Path=/, "").replace("; Secure", ""));
    const paths = ["/", "/a/b", "/a/", "/a", "/"]; // where most are, first
    const all = (domains) => paths.flatMap((path) => domains.flatMap((domain) => ["", "; Partitioned"].map((end) => path + domain + end)));
    assert.deepEqual(places("longer"), all(["", "; Domain=x.example"]));
    assert.deepEqual(places("unknown"), all([""]), "what is not declared can be a sibling's");
    assert.deepEqual(places("needed"), []);
  });

  test("the committed script is made of guard.js", async () => {
    assert.deepEqual(committed.map((file) => readFileSync(file, "utf8")), await shorten(), "run npm --prefix e2e run guard");
  });
});
