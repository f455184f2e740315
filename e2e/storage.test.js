// Items of local and session storage, and databases, in Chromium and Firefox, behind real Caddy with the option
// `guard`: what is there of those that rows declare, and of others, by what the visitor answers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { startFirefox } from "./firefox.js";
import { accepts, browserArguments, buildCaddy, end, freePort, until } from "./parts.js";

// One of `ph_necessary` is a literal within a prefix; no row declares `mine`.
const stored = ["mine", "ph_a", "ph_necessary", "state"];
const allowed = ["mine", "ph_necessary"];

const charter = (option) => `{
	cookie_charter {
		preference opendatasoft
		storage ph_* state {
			purpose  "Counts visits"
			category statistics
			consent  stats
		}
		storage ph_necessary {
			purpose  "Remembers"
			category necessary
		}
		${option}
	}
	header /page Content-Type text/html
	respond /page "<!DOCTYPE html><title>page</title><script>first = [localStorage, sessionStorage].map((area) => Object.keys(area).sort().join())</script>"
}`;

const config = (port, adminPort) => `{
	admin 127.0.0.1:${adminPort}
	persist_config off
	auto_https off
}
http://guarded.example:${port} {
	handle /before {
		header Content-Type text/html
		respond "<!DOCTYPE html><title>a page that the guard is not in</title>"
	}
	handle ${charter("guard")}
}
http://monitored.example:${port} {
	route ${charter("guard monitor")}
}
`;

const browsers = {
  Chromium: async () => {
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: browserArguments });
    const context = await browser.newContext();
    return { newPage: () => context.newPage(), close: () => browser.close() };
  },
  Firefox: startFirefox,
};

describe("stored items", () => {
  let folder, caddy, port, adminPort;
  const opened = {};
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    const binary = buildCaddy(), file = path.join(folder, "Caddyfile");
    [port, adminPort] = [await freePort(), await freePort()];
    writeFileSync(file, config(port, adminPort));
    caddy = spawn(binary, ["run", "--config", file], { stdio: "ignore" });
    await accepts(port, caddy);
    await Promise.all(Object.entries(browsers).map(async ([name, launch]) => { opened[name] = await launch(); }));
  });
  after(async () => {
    for (const browser of Object.values(opened)) await browser.close();
    if (caddy) await end(caddy);
    rmSync(folder, { recursive: true, force: true });
  });

  const store = (keys) => { for (const area of [localStorage, sessionStorage]) for (const key of keys) area.setItem(key, "1"); };
  const keys = () => [localStorage, sessionStorage].map((area) => Object.keys(area).sort().join());
  const both = (list) => [list.join(), list.join()];
  // becomes waits until both areas have some keys and no others.
  const becomes = async (page, list) => {
    let got;
    await until(async () => (got = await page.evaluate(keys)).join(" ") === both(list).join(" "), () => `${list} are there, not ${got.join(" ")}`);
  };
  // answer returns what is read of an item that is written while the guard asks, then and when it
  // knows, and what is there then.
  const answer = (page, stats) => page.evaluate((stats) => {
    document.cookie = `cookies_preferences={"stats":${stats}}; Path=/; Max-Age=1000`;
    localStorage.setItem("ph_held", "1");
    const now = localStorage.getItem("ph_held");
    return new Promise((resolve) => document.addEventListener("cookie-charter", ({ detail }) => {
      resolve([now, detail.allowed.stats, localStorage.getItem("ph_held"), Object.keys(localStorage).sort().join(), Object.keys(sessionStorage).sort().join()]);
    }, { once: true }));
  }, stats);

  for (const name of Object.keys(browsers)) {
    test(`${name}: items are there that are allowed, or that no row declares`, async () => {
      const page = await opened[name].newPage();
      const site = `http://guarded.example:${port}`;
      await page.goto(`${site}/before`);
      await page.evaluate(store, stored);
      assert.deepEqual(await page.evaluate(keys), both(stored));

      // What was there before is gone when the page's first script runs.
      await page.goto(`${site}/page`);
      assert.deepEqual(await page.evaluate("first"), both(allowed));

      // Nothing is written, here and in a frame, or read; what is written as a property goes.
      assert.deepEqual(await page.evaluate(() => {
        localStorage.setItem("ph_b", "1");
        localStorage.setItem({ toString: () => "ph_c" }, "1");
        const frame = document.body.appendChild(document.createElement("iframe"));
        frame.contentWindow.sessionStorage.setItem("ph_d", "1");
        const written = [localStorage, sessionStorage].map((area) => Object.keys(area).sort().join());
        localStorage.ph_e = sessionStorage.state = "1";
        return [written, localStorage.getItem("ph_e"), sessionStorage.getItem("state"), localStorage.getItem("mine")];
      }), [both(allowed), null, null, "1"]);
      await becomes(page, allowed);

      // What is written while the guard asks is held.
      assert.deepEqual(await answer(page, true), [null, true, "1", "mine,ph_held,ph_necessary", allowed.join()]);
      assert.deepEqual(await page.evaluate(() => {
        localStorage.removeItem("ph_held");
        sessionStorage.setItem("ph_f", "1");
        localStorage.setItem("ph_f", "1");
        return localStorage.getItem("ph_f");
      }), "1");
      await page.goto(`${site}/page`);
      assert.deepEqual(await page.evaluate("first"), both([allowed[0], "ph_f", allowed[1]]));

      // What is refused is gone when the page is told.
      assert.deepEqual(await answer(page, false), [null, false, null, ...both(allowed)]);
    });

    test(`${name}: databases are there that are allowed, or that no row declares`, async () => {
      const page = await opened[name].newPage();
      const site = `http://guarded.example:${port}`;
      // Both run in the page: what becomes of opening a database, and which are there.
      const open = (page, names, keeps) => page.evaluate(async ([names, keeps]) => {
        const became = [];
        for (const name of names) {
          became.push(await new Promise((resolve) => {
            try {
              const request = indexedDB.open(name, 1);
              request.onupgradeneeded = () => request.result.createObjectStore("x");
              request.onerror = () => resolve(request.error.name);
              request.onsuccess = () => {
                if (!keeps) request.result.close();
                resolve("opened");
              };
            } catch (error) {
              resolve(error.name);
            }
          }));
        }
        return became;
      }, [names, keeps]);
      const there = (page) => page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name).sort().join());
      const hold = (page, list) => {
        let got;
        return until(async () => (got = await there(page)) === list.join(), () => `${list} are there, not ${got}`);
      };
      await page.goto(`${site}/before`);
      await page.evaluate(() => { document.cookie = "cookies_preferences=; Path=/; Max-Age=0"; return document.cookie; }); // once it is read, it is stored
      assert.deepEqual(await open(page, stored), stored.map(() => "opened"));

      // What was there before goes, and is not opened, here and in a frame.
      await page.goto(`${site}/page`);
      await hold(page, allowed);
      assert.deepEqual(await open(page, stored), ["opened", "SecurityError", "opened", "SecurityError"]);
      assert.equal(await page.evaluate(() => {
        const frame = document.body.appendChild(document.createElement("iframe"));
        try {
          return String(frame.contentWindow.indexedDB.open("ph_a"));
        } catch (error) {
          return error.name;
        }
      }), "SecurityError");
      assert.equal(await page.evaluate(() => {
        try {
          return String(indexedDB.open());
        } catch (error) {
          return error.name;
        }
      }), "TypeError");
      await hold(page, allowed);

      // What is granted is opened, and is gone after a refusal, although two tabs have it open.
      await answer(page, true);
      assert.deepEqual(await open(page, ["ph_a", "ph_necessary"], true), ["opened", "opened"]);
      const other = await opened[name].newPage();
      await other.goto(`${site}/page`);
      assert.deepEqual(await open(other, ["ph_a", "state"], true), ["opened", "opened"]);
      await hold(page, stored);
      await answer(page, false);
      await hold(page, allowed);
      await other.close();
    });

    test(`${name}: nothing is touched that is only monitored, and the inventory has it`, async () => {
      // What the inventory has of stored items, by site.
      const told = async () => {
        // Not by fetch, whose fields are those of a browser: Caddy's admin endpoint refuses these.
        const response = await new Promise((resolve, reject) => http.get(`http://127.0.0.1:${adminPort}/cookie_charter/inventory`, resolve).once("error", reject));
        const sites = JSON.parse(Buffer.concat(await response.toArray()));
        return Object.fromEntries(Object.entries(sites).map(([site, entries]) => [site.split(".")[0], entries.filter(({ item }) => item).map(({ item, verdict, cookie, from_scripts: count, networks, path }) => [item, verdict, cookie, count, networks, path])]));
      };
      const countOf = (list, key) => list?.find(([item]) => item === key)?.[3] ?? 0;
      const { monitored: before } = await told();
      const page = await opened[name].newPage();
      const database = `${name}Db`;
      await page.goto(`http://monitored.example:${port}/page`);
      await page.evaluate(store, stored);
      await page.evaluate((database) => new Promise((resolve) => { indexedDB.open(database).onsuccess = resolve; }), database);
      // What is stored is told when the visitor leaves; of databases, what there was before, if
      // the browser has listed it by then.
      let now, left = 0;
      const more = (key) => countOf(now, key) - countOf(before, key);
      await until(async () => {
        await page.goto(`http://monitored.example:${port}/page`);
        left++;
        await until(async () => {
          ({ monitored: now } = await told());
          return more("mine") >= left;
        }, () => `${left} documents tell what is stored`);
        return countOf(now, database) > 0;
      }, () => "the database is told");
      assert.deepEqual(await page.evaluate(keys), both(stored));
      assert.deepEqual(now.filter(([item]) => !item.endsWith("Db")).map((entry) => entry.slice(0, 3)), [["mine", "undeclared", ""], ["ph_*", "refused", "ph_*"], ["state", "refused", "ph_*"]]);
      assert.deepEqual(["mine", "ph_*", "state"].map(more), [left, left, left], "once by each document");
      // From how many networks, and of which page, as browsers tell it in the post's Referer.
      const [, verdict, cookie, count, ...where] = now.find(([item]) => item === database);
      assert.deepEqual([verdict, cookie, ...where], ["undeclared", "", 1, "/page"]);
      assert.ok(count <= left, "by each document once, the one that has opened it, too, if it has the time");
      assert.deepEqual((await told()).guarded ?? [], [], "who keeps them tells nothing");
    });
  }
});
