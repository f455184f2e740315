// Refused cookies leave real browsers, wherever they are, and what removes them
// fits through a real nginx.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { startFirefox } from "./firefox.js";
import { accepts, end, follow, freePort, listen, start } from "./parts.js";

const pagePath = "/terms/cookies-policy/";
const deepPath = "/explore/dataset/x/page";
const isTracker = (name) => /^(_pk_|_ga|_gid|__Host-tracker|__Secure-tracker)/.test(name);

// What a script plants on a host: on pages at any path, and, at last, on those
// below deepPath only.
const planted = (domains) => [
  ...["", ...domains].flatMap((domain, i) => {
    const at = domain && `; domain=${domain}`;
    return [`_pk_id.${i}=1; path=/${at}`, `_pk_id.same=1; path=/${at}`, `_pk_ses.${i}=1; path=/; secure; samesite=none${at}`, `_pk_id.part${i}=1; path=/; secure; samesite=none; partitioned${at}`];
  }),
  ...["_ga", "_gid", "_gat", "_ga_ABCDEFGHIJ"].map((name) => `${name}=1; path=/; domain=city.example`),
  ...["/terms", "/terms/", "/terms/cookies-policy", pagePath].flatMap((path, i) => [`_pk_id.path${i}=1; path=${path}`, `_pk_id.same=1; path=${path}`, `_pk_id.pathdomain${i}=1; path=${path}; domain=city.example`]),
  "_pk_id.pathpart=1; path=/terms; secure; samesite=none; partitioned",
  "__Host-tracker=1; path=/; secure",
  "__Secure-tracker=1; path=/; secure; domain=city.example",
];
const deep = ["/explore", "/explore/", "/explore/dataset/x", "/explore/dataset/x/", deepPath].map((path, i) => `_pk_id.deep${i}=1; path=${path}${i % 2 ? "; domain=city.example" : ""}`);

// The browsers, each with what it has stored.
const browsers = {
  Chromium: async (parts) => {
    const context = await parts.browser.newContext({ ignoreHTTPSErrors: true });
    return { page: await context.newPage(), cookies: () => context.cookies(), close: () => context.close() };
  },
  Firefox: async () => {
    const firefox = await startFirefox();
    return { page: await firefox.newPage(), cookies: firefox.cookies, close: firefox.close };
  },
};

for (const [browser, open] of Object.entries(browsers)) {
  describe(`refused cookies in ${browser}`, () => {
    let parts, opened, page;
    before(async () => {
      parts = await start();
      opened = await open(parts);
      page = opened.page;
    });
    after(async () => {
      await opened?.close();
      await parts?.stop();
    });

    const site = (host) => `https://${host}:${parts.ports.HTTPS_PORT}`;
    const held = async () => (await opened.cookies()).filter(({ name }) => isTracker(name)).map(({ name, domain, path, value }) => `${name}=${value} ${domain}${path}`);
    async function answer(host, value) {
      await page.goto(`${site(host)}${pagePath}?flg=en`);
      await follow(page, () => page.click(`button[name=all][value=${value}]`));
      // What was done has the focus, so that it is read to those who do not see it.
      await page.waitForFunction(() => document.activeElement.getAttribute("role") === "status");
      return page.evaluate(() => document.activeElement.textContent);
    }
    const plant = (lines) =>
      page.evaluate((lines) => {
        for (const line of lines) document.cookie = line;
        return document.cookie.length; // by then all are stored
      }, lines);

    test("withdrawn, none is left when the page shows", async () => {
      const host = "removal.city.example";
      const lines = planted(["city.example", host]);
      assert.equal(await answer(host, "granted"), "Your choices have been saved.");
      await plant([...lines, ...deep]);
      assert.equal((await held()).length, lines.length + deep.length);
      assert.equal(await answer(host, "refused"), "Your choices have been saved.");
      assert.deepEqual((await held()).filter((cookie) => !cookie.includes("/explore")), []);
      // What is not sent to the page goes where it is sent.
      let visits = 0;
      for (; visits < 300 && (await held()).length > 0; visits++) await page.goto(site(host) + deepPath);
      assert.deepEqual(await held(), []);
      console.log(`${browser}: ${lines.length} cookies gone when the page shows, ${deep.length} below ${deepPath} after ${visits} visits there`);
    });

    test("what one withdrawal cannot remove on a host of nine labels, the page tells, and the next ones remove", async () => {
      const host = "a.b.c.d.e.f.g.city.example";
      const lines = planted(["city.example", host, "e.f.g.city.example", "g.city.example"]);
      await answer(host, "granted");
      await plant(lines);
      const left = [(await held()).length];
      assert.equal(left[0], lines.length);
      while (left.at(-1) > 0 && left.length < 10) {
        const status = await answer(host, "refused");
        left.push((await held()).length);
        // The answer with the page may have removed the last of those that it tells of.
        assert.ok(left.at(-1) === 0 || status.includes("still in your browser"), status);
      }
      assert.deepEqual(await held(), []);
      console.log(`${browser}: cookies on nine labels, after each withdrawal: ${left}`);
    });

    test("several answers at one instant leave no expired records", async () => {
      const host = "removal.city.example";
      await answer(host, "refused");
      for (let round = 0; round < 8; round++) {
        await page.goto(site(host) + "/");
        await plant(Array.from({ length: 8 }, (_, i) => `_pk_id.${i}=1; path=/`));
        await page.evaluate(() => Promise.all(Array.from({ length: 24 }, (_, i) => fetch(`/${i}`, { cache: "no-store" }))).then(() => null));
        assert.deepEqual(await held(), []);
      }
    });

    test("a sibling's cookie of a declared name goes, too; others stay", async () => {
      await page.goto(site("sibling.city.example") + "/");
      await plant(["other=1; path=/; domain=city.example", "_pk_id.own=1; path=/"]);
      await page.goto(site("removal.city.example") + "/");
      const names = (await opened.cookies()).map(({ name }) => name);
      assert.ok(!names.includes("_pk_id.sibling"));
      assert.ok(names.includes("other") && names.includes("_pk_id.own"));
    });
  });
}

describe("nginx in front, with the buffers that it has by default", () => {
  // By path: host-only, or on the registrable domain.
  const places = { "_pk_id.1.1fff": "", "_pk_ses.1.1fff": "", "_pk_ref.1.1fff": "" };
  for (const name of ["_ga", "_gid", "_gat_gtag_UA_12345678_1", "_ga_ABCDEFGHIJ"]) places[name] = "; Domain=city.example";
  let parts, origin, nginx, folder;
  const fronts = {};

  before(async () => {
    parts = await start();
    const { ORIGIN_PORT, BANNERS_PORT } = parts.ports;
    origin = http.createServer((request, response) => {
      const size = Number(new URL(request.url, "http://origin").searchParams.get("size"));
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "x".repeat(size) }).end("<!DOCTYPE html>");
    });
    await listen(origin, ORIGIN_PORT);
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-nginx-"));
    for (const name of ["plain", "removal", "cached_plain", "cached_removal"]) fronts[name] = await freePort();
    writeFileSync(
      `${folder}/nginx.conf`,
      `daemon off; master_process off; pid ${folder}/pid; error_log /dev/null; events {}
      http {
        access_log off;
        ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
        ${Object.keys(fronts).map((name) => `proxy_cache_path ${folder}/${name} keys_zone=${name}:1m;`).join(" ")}
        ${Object.entries(fronts)
          .map(
            ([name, port]) => `server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://127.0.0.1:${BANNERS_PORT};
            proxy_set_header Host ${name.replace("cached_", "")}.city.example;
            ${name.startsWith("cached_") ? `proxy_cache ${name}; proxy_cache_valid 200 10m;` : ""}
          }
        }`,
          )
          .join("\n")}
      }`,
    );
    nginx = spawn("/usr/sbin/nginx", ["-p", folder, "-c", `${folder}/nginx.conf`], { stdio: ["ignore", "ignore", "inherit"] });
    await accepts(fronts.removal, nginx);
  });
  after(async () => {
    if (nginx) await end(nginx);
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const fetched = (front, url, names, options = {}) =>
    fetch(`http://127.0.0.1:${fronts[front]}${url}`, { redirect: "manual", ...options, headers: { ...options.headers, cookie: names.map((name) => `${name}=1`).join("; ") } });
  const removes = (response, name) => response.headers.getSetCookie().some((line) => line.startsWith(`${name}=; Max-Age=-1; Path=/${places[name]}`) && line.includes("Domain") === (places[name] !== ""));

  for (const cached of ["", "cached_"]) {
    test(`no answer is lost that would not be lost without the charter${cached && ", with a cache"}`, async () => {
      let lost = 0, removed = 0;
      for (let size = 0; size <= 5000; size += 125) {
        for (const more of ["", "&more=" + "y".repeat(300)]) {
          const url = `/explore/${"deep/".repeat(20)}?size=${size}${more}`;
          const plain = await fetched(cached + "plain", url, Object.keys(places));
          const charted = await fetched(cached + "removal", url, Object.keys(places));
          assert.equal(charted.status, plain.status, `${size} bytes`);
          if (charted.status === 502) lost++;
          if (charted.headers.getSetCookie().length > 0) removed++;
        }
      }
      assert.ok(lost > 0 && removed > 20, `${lost} lost, ${removed} with removals`);
    });
  }

  test("where portal headers leave no room, the page's own answers remove", async () => {
    let names = Object.keys(places);
    for (let visits = 0; visits < 3; visits++) {
      const response = await fetched("removal", "/?size=3500", names);
      assert.equal(response.status, 200);
      assert.deepEqual(response.headers.getSetCookie(), []);
    }
    let response = await fetched("removal", pagePath, names, { method: "POST", body: "all=refused", headers: { "content-type": "application/x-www-form-urlencoded" } });
    for (let turns = 0; response.status === 303 && turns < 10; turns++) {
      names = names.filter((name) => !removes(response, name));
      response = await fetched("removal", pagePath + response.headers.get("location"), names);
    }
    assert.equal(response.status, 200);
    assert.deepEqual(names, []);
  });
});
