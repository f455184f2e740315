// nginx caches in front of Caddy and behind it, told to store and replay
// cookies as no cache should. Still nobody gets another visitor's answer.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { accepts, end, freePort, listen, start } from "./parts.js";

const granted = 'cookies_preferences={"matomo":true}';
const refused = 'cookies_preferences={"matomo":false}';
const tracker = "_pk_id.1.1fff";

describe("shared caches", () => {
  let parts, origin, nginx, folder, front, asking;
  let answers = 0;

  before(async () => {
    parts = await start();
    const { ORIGIN_PORT, CORPUS_PORT, INSIDE_CACHE_PORT, ASKING_PORT } = parts.ports;
    origin = http.createServer((request, response) => {
      const headers = { "Content-Type": "text/plain" };
      if (!request.url.startsWith("/silent")) headers["Cache-Control"] = "public, max-age=600";
      if (request.url.startsWith("/tracked")) headers["Set-Cookie"] = `${tracker}=${++answers}; Path=/`;
      response.writeHead(200, headers).end(`answer ${++answers}`);
    });
    await listen(origin, ORIGIN_PORT);

    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-nginx-"));
    front = await freePort();
    asking = await freePort();
    const cache = (name, port, upstream) => `
      proxy_cache_path ${folder}/${name} keys_zone=${name}:1m;
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${upstream};
          proxy_set_header Host $http_host;
          proxy_cache ${name};
          proxy_cache_key $uri;
          proxy_cache_valid 200 10m;
          proxy_ignore_headers Set-Cookie;
          add_header X-Cache $upstream_cache_status;
        }
      }`;
    writeFileSync(
      `${folder}/nginx.conf`,
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {}
      http {
        access_log off;
        ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
        ${cache("front", front, CORPUS_PORT)}
        ${cache("asking", asking, ASKING_PORT)}
        ${cache("inside", INSIDE_CACHE_PORT, ORIGIN_PORT)}
      }`,
    );
    nginx = spawn("/usr/sbin/nginx", ["-p", folder, "-c", `${folder}/nginx.conf`], { stdio: ["ignore", "ignore", "inherit"] });
    await accepts(front, nginx);
  });
  after(async () => {
    if (nginx) await end(nginx);
    origin?.close();
    origin?.closeAllConnections();
    await parts?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function get(port, url, cookie) {
    const response = await fetch(`http://127.0.0.1:${port}${url}`, { headers: { cookie } });
    return {
      body: await response.text(),
      cache: response.headers.get("X-Cache"),
      // Removals go to several places.
      cookies: [...new Set(response.headers.getSetCookie().map((line) => line.split("=")[0]))],
    };
  }

  test("the cache in front works", async () => {
    const first = await get(front, "/plain", granted);
    const second = await get(front, "/plain", refused);
    assert.equal(second.cache, "HIT");
    assert.equal(second.body, first.body);
  });

  test("in front, no answer judged by a preference is replayed", async () => {
    assert.deepEqual((await get(front, "/tracked/1", granted)).cookies, [tracker]);
    assert.deepEqual((await get(front, "/tracked/1", refused)).cookies, []);
    assert.deepEqual((await get(front, "/tracked/2", refused)).cookies, []);
    const other = await get(front, "/tracked/2", granted);
    assert.deepEqual(other.cookies, [tracker]);
    assert.equal(other.cache, "MISS");
  });

  test("in front, no removal is replayed", async () => {
    assert.deepEqual((await get(front, "/silent", `${tracker}=1; ${refused}`)).cookies, [tracker]);
    assert.deepEqual((await get(front, "/silent", granted)).cookies, []);
    // What the portal means to be shared stays shared, and removes nothing.
    assert.deepEqual((await get(front, "/plain/2", `${tracker}=1; ${refused}`)).cookies, []);
    assert.equal((await get(front, "/plain/2", granted)).cache, "HIT");
  });

  test("in front, what asks for the visitor's answer is not replayed", async () => {
    const first = await get(asking, "/matomo.js", granted);
    assert.match(first.body, /^answer/);
    for (const cookie of [refused, ""]) {
      assert.equal((await get(asking, "/matomo.js", cookie)).body, "", "the script came to who did not allow it");
    }
    const again = await get(asking, "/matomo.js", granted);
    assert.match(again.body, /^answer/);
    assert.equal(again.cache, "MISS");
    // What does not ask is shared.
    await get(asking, "/plain/3", granted);
    assert.equal((await get(asking, "/plain/3", refused)).cache, "HIT");
  });

  test("inside, each answer from the cache is judged anew", async () => {
    const { INSIDE_PORT } = parts.ports;
    const first = await get(INSIDE_PORT, "/tracked/3", refused);
    const second = await get(INSIDE_PORT, "/tracked/3", granted);
    const third = await get(INSIDE_PORT, "/tracked/3", refused);
    assert.deepEqual([first.cookies, second.cookies, third.cookies], [[], [tracker], []]);
    assert.deepEqual([first.cache, second.cache, third.cache], ["MISS", "HIT", "HIT"]);
    assert.equal(second.body, first.body);
  });
});
