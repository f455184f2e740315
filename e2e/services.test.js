// The code of services that portals use, in real browsers, behind a charter with hosts:
// what no row declares or the visitor does not allow is not called, and sets no cookies;
// what is allowed works. docs/trackers.md has the figures.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { functions } from "./functions.js";
import { root, until } from "./parts.js";
import { asAnyone, askedOf, browsers, cookiesOf, hostsOf, necessary, ofOwnScripts, services, setups, siteOf, startServices, thirdPartyOf, trialsOf, Visitor } from "./services.js";
import { readFigures } from "./table.js";

const isAllowed = (keys) => ({ key }) => key === "" || keys.includes(key);
const keys = [...new Set(services.map(({ key }) => key).filter(Boolean))];
const includes = (some, others) => others.every((other) => some.includes(other));
// Scripts that the portal itself serves, and that no row declares, write what they like.
const bundled = cookiesOf(services.filter(({ key }) => key === "mixpanel"));

describe("services", () => {
  let parts;
  before(async () => {
    parts = await startServices();
  });
  after(() => parts?.stop());

  for (const browser of Object.keys(browsers)) {
    // visiting runs a test as a visitor of a site.
    const visiting = (setup, run) => async () => {
      const visitor = await Visitor.arrive(parts, browser, setup);
      try {
        await run(visitor);
      } finally {
        await visitor.leave();
      }
    };
    // published holds what was seen against what docs/trackers.md says.
    const published = async (visitor, answer) => {
      const { own, thirdParty, hosts, stored } = readFigures().find((row) => row.browser === browser && row.setup === setups[visitor.setup] && row.answer.includes(answer));
      assert.deepEqual({ thirdParty: `${visitor.seen.third.size} / ${visitor.sets.length}`, hosts: String(visitor.hosts.length) }, { thirdParty, hosts });
      if (!["guard", "both"].includes(visitor.setup)) return;
      let now; // browsers take their time with databases
      await until(async () => (now = Object.values(await visitor.stored()).join(" / ")) === stored, () => `${stored} keys and databases are stored, not ${now}`);
      if (answer !== "granted") assert.equal(String(visitor.seen.own.size), own.split(" / ").at(-1), [...visitor.seen.own]);
    };

    // isKept tries that two pages call the hosts of allowed services and no others.
    async function isKept(visitor, allowed) {
      const others = services.filter((service) => !allowed.includes(service));
      const refused = askedOf(others).filter((host) => !hostsOf(allowed).includes(host));
      for (const at of ["/", "/explore/"]) {
        await visitor.visit(at);
        let blocked;
        await until(async () => includes((blocked = await visitor.blocked()), refused), () => `${at} is kept from ${refused}, not only from ${blocked}`);
      }
      await calls(visitor, allowed);
      await writes(visitor, allowed);
      await visitor.rest();
      assert.deepEqual(visitor.hosts, hostsOf(allowed));
      assert.deepEqual(visitor.sets, thirdPartyOf(allowed));
      const declared = [...necessary, ...cookiesOf(allowed), ...trialsOf(allowed)];
      const undeclared = [...visitor.seen.own].filter((name) => !declared.includes(name));
      const unguarded = visitor.setup === "both" ? [] : undeclared.filter((name) => [...ofOwnScripts, ...bundled].includes(name) || /^(_cookie_test|dmn_chk_)/.test(name));
      assert.deepEqual(undeclared, unguarded, "at any time");
    }

    // calls and writes wait until all that services do has been seen.
    async function calls(visitor, allowed) {
      await until(() => includes(visitor.hosts, hostsOf(allowed)), () => `all of ${hostsOf(allowed)} are called, not only ${visitor.hosts}`);
      await until(() => includes([...visitor.seen.third], thirdPartyOf(allowed)), () => `other sites keep ${thirdPartyOf(allowed)}, not only ${[...visitor.seen.third]}`);
    }
    const writes = (visitor, allowed) => until(() => includes([...visitor.seen.own], cookiesOf(allowed)), () => `scripts keep ${cookiesOf(allowed)}, not only ${[...visitor.seen.own]}`);

    // tries tries what a page can do without other hosts, and returns its policy.
    async function tries(visitor) {
      const answer = await visitor.visit("/functions");
      const failed = {};
      for (const [name, works] of Object.entries(functions)) {
        const late = new Promise((resolve) => setTimeout(resolve, 30_000, "does not end").unref());
        const result = await Promise.race([visitor.page.evaluate(works).catch((error) => String(error)), late]);
        if (result !== true) failed[name] = result;
      }
      assert.deepEqual(failed, {});
      return answer.headers()["content-security-policy"];
    }

    test(`${browser}, no module: all are called, and keep cookies`, visiting("plain", async (visitor) => {
      assert.equal(await tries(visitor), undefined);
      visitor.begin();
      await visitor.visit("/");
      await calls(visitor, services);
      await writes(visitor, services);
      await visitor.visit("/explore/");
      await visitor.rest();
      await published(visitor, "none");
    }));

    if (browser === "Chromium") {
      test(`${browser}, a charter of cookies: all are called, as before`, visiting("cookies", async (visitor) => {
        await visitor.visit("/");
        await calls(visitor, services);
        await visitor.visit("/explore/");
        await visitor.rest();
        await published(visitor, "none");
      }));

      test(`${browser}, guard: all are called, and no scripts' cookies are kept`, visiting("guard", async (visitor) => {
        await visitor.visit("/");
        await calls(visitor, services);
        await visitor.visit("/explore/");
        await visitor.rest();
        assert.deepEqual([...visitor.seen.own].filter((name) => !necessary.includes(name)), [], "at any time");
        await published(visitor, "none");
      }));
    }

    for (const setup of ["hosts", "both"]) {
      test(`${browser}, ${setup}: before an answer, granted, withdrawn`, visiting(setup, async (visitor) => {
        const always = services.filter(isAllowed([]));
        await isKept(visitor, always);
        assert.deepEqual([...visitor.seen.third], thirdPartyOf(always));
        await published(visitor, "none");

        await visitor.answer("granted");
        visitor.begin();
        await isKept(visitor, services.filter(isAllowed(keys)));
        await published(visitor, "granted");

        await visitor.visit("/terms/cookies-policy/");
        await visitor.rest(2000); // what is under way arrives
        await visitor.answer("refused");
        visitor.begin();
        await isKept(visitor, always);
        await published(visitor, "withdrawn");
      }));

      test(`${browser}, ${setup}: refused, and one granted, and all works that needs no other host`, visiting(setup, async (visitor) => {
        await visitor.answer("refused");
        visitor.begin();
        await isKept(visitor, services.filter(isAllowed([])));
        await published(visitor, "refused");

        await visitor.answer("granted", ["matomo"]);
        visitor.begin();
        await isKept(visitor, services.filter(isAllowed(["matomo"])));
        assert.match(await tries(visitor), /^default-src 'self' /);
      }));
    }
  }

  test("an audit of a portal with hosts and guard finds nothing", async () => {
    // A browser of everyone's, that reaches the services.
    const chromium = path.join(parts.folder, "chromium");
    writeFileSync(chromium, `#!/bin/sh\nexec /usr/bin/chromium --ignore-certificate-errors --proxy-server=127.0.0.1:${parts.proxyPort} ${asAnyone.map((word) => `'${word}'`).join(" ")} "$@"\n`, { mode: 0o700 });
    const words = ["cookie-charter", "audit", siteOf("both"), `--browser=${chromium}`, ...(process.getuid() === 0 ? ["--no-sandbox"] : []), "--format", "json", "--wait", "3s"]; // Amplitude gathers for one
    const env = { ...process.env, HTTPS_PROXY: `http://127.0.0.1:${parts.proxyPort}`, SSL_CERT_FILE: path.join(parts.folder, "pki/authorities/local/root.crt") };
    parts.calls.length = 0;
    const { stdout, stderr } = await promisify(execFile)(parts.caddyBinary, words, { env, timeout: 180_000, maxBuffer: 16 << 20 }).catch((error) => error);
    assert.equal(stderr, "");
    const { visits, violations, incomplete, holds_hosts } = JSON.parse(stdout);
    const found = visits.flatMap(({ visit, cookies, hosts }) => [...cookies, ...hosts].flatMap(({ name, host, violations }) => violations.map((violation) => `${visit}: ${name ?? host} ${violation}`)));
    assert.deepEqual(found, []);
    assert.deepEqual({ violations, incomplete, holds_hosts }, { violations: 0, incomplete: false, holds_hosts: true });
    // Everything was there to be found.
    const granted = services.filter(isAllowed(keys));
    assert.deepEqual(visits.map(({ visit, hosts }) => [visit, hosts.filter(({ reached }) => reached).map(({ host }) => host).sort()]), [
      ["first", hostsOf(services.filter(isAllowed([])))], ["refused", hostsOf(services.filter(isAllowed([])))], ["accepted", hostsOf(granted)], ["withdrawn", hostsOf(services.filter(isAllowed([])))],
    ]);
    assert.deepEqual(cookiesOf(granted).filter((cookie) => !visits[2].cookies.some(({ name, kept }) => name === cookie && kept)), []);
  });
});

test("the figures are of the versions that are installed", () => {
  const text = readFileSync(path.join(root, "docs/trackers.md"), "utf8");
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, "e2e/package.json"), "utf8"));
  for (const name of [...services.map((service) => service.package).filter(Boolean), "js-cookie"]) assert.ok(text.includes(`\`${name}\` ${devDependencies[name]}`), name);
  for (const { name } of services) assert.ok(text.includes(name), name);
});
