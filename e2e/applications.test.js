// Applications as Debian ships them, by php_fastcgi, behind the preset of their name: a user
// signs in, writes a page and signs out, and nothing that the application sets is withheld
// or shortened. An audit finds nothing with the preset, and the application's cookies without it.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { accepts, browserArguments, buildCaddy, end, freePort, runCaddy } from "./parts.js";

const user = "alice", password = "wonderland of wikis", words = "Written through the charter.";

// What is done with each, by which of its pages, and which cookies that takes.
const applications = {
  dokuwiki: {
    // A state of its own: DokuWiki's settings and pages, with Debian's defaults.
    prepare(folder) {
      for (const name of ["attic", "cache", "index", "locks", "log", "media", "media_attic", "media_meta", "meta", "pages", "tmp"]) mkdirSync(path.join(folder, "data", name), { recursive: true });
      const settings = path.join(folder, "conf");
      mkdirSync(settings);
      const shipped = "/etc/dokuwiki";
      for (const name of readdirSync(shipped)) {
        if (["acl.auth.php", "users.auth.php", "local.php"].includes(name) || !statSync(path.join(shipped, name)).isFile()) continue;
        writeFileSync(path.join(settings, name), readFileSync(path.join(shipped, name)));
      }
      writeFileSync(path.join(settings, "local.php"), `<?php $conf['useacl'] = 1; $conf['superuser'] = '@admin'; $conf['savedir'] = '${folder}/data';`);
      writeFileSync(path.join(settings, "acl.auth.php"), "# <?php exit()?>\n*\t@ALL\t1\n*\t@user\t8\n");
      writeFileSync(path.join(settings, "users.auth.php"), `# <?php exit()?>\n${user}:${createHash("md5").update(password).digest("hex")}:${user}:alice@city.example:user\n`);
      return `define('DOKU_CONF', '${settings}/');`;
    },
    pages: ["/doku.php?id=start", "/doku.php?id=start&do=login"],
    async signIn(page, site) {
      await page.goto(`${site}/doku.php?id=start&do=login`);
      await page.fill("[name=u]", user);
      await page.fill("[name=p]", password);
      await page.check("[name=r]");
      await page.click("#dw__login button[type=submit]");
    },
    signOutLink: "li.logout a",
    async write(page, site) {
      await page.goto(`${site}/doku.php?id=charter&do=edit`);
      await page.fill("#wiki__text", words);
      await page.click("#edbtn__save");
    },
    written: "#dokuwiki__content .page p",
    signOut: (page) => page.click("li.logout a"),
    signedIn: [/^DokuWiki$/, /^DW[0-9a-f]{32}$/],
    first: ["DokuWiki"],
  },
  mediawiki: {
    prepare(folder) {
      const script = "/usr/share/mediawiki/maintenance/install.php";
      execFileSync("php", [script, "--dbtype", "sqlite", "--dbpath", folder, "--confpath", folder, "--scriptpath", "", "--server", "http://wiki.example", "--pass", password, "Wiki", user], { stdio: ["ignore", "ignore", "inherit"] });
      appendFileSync(path.join(folder, "LocalSettings.php"), "\n$wgServer = 'http://' . $_SERVER['HTTP_HOST'];\n");
      return `define('MW_CONFIG_FILE', '${folder}/LocalSettings.php');`;
    },
    pages: ["/index.php?title=Main_Page", "/index.php?title=Special:UserLogin"],
    async signIn(page, site) {
      await page.goto(`${site}/index.php?title=Special:UserLogin`);
      await page.fill("[name=wpName]", user);
      await page.fill("[name=wpPassword]", password);
      await page.check("[name=wpRemember]");
      await page.click("#wpLoginAttempt");
    },
    signOutLink: "#pt-logout a",
    async write(page, site) {
      await page.goto(`${site}/index.php?title=Charter&action=edit`);
      await page.fill("#wpTextbox1", words);
      await page.click("#wpSave");
    },
    written: "#mw-content-text p",
    async signOut(page, site) {
      await page.goto(`${site}/index.php?title=Special:UserLogout`);
      await page.click("#mw-content-text button[type=submit]");
    },
    signedIn: [/^my_wiki_session$/, /^my_wikiToken$/, /^my_wikiUserID$/, /^my_wikiUserName$/],
    first: ["my_wiki_session"],
  },
};

describe("applications of Debian", () => {
  let folder, binary, php, caddy, browser;
  const port = {};
  const site = (name, how) => `http://${how}.${name}.localhost:${port.http}`;

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    binary = buildCaddy();
    for (const name of ["http", "php", "admin"]) port[name] = await freePort();
    const begins = path.join(folder, "prepend.php");
    writeFileSync(begins, "<?php\n");
    for (const [name, { prepare }] of Object.entries(applications)) {
      mkdirSync(path.join(folder, name));
      appendFileSync(begins, prepare(path.join(folder, name)) + "\n");
    }
    php = spawn("php-cgi", ["-b", `127.0.0.1:${port.php}`, "-d", `auto_prepend_file=${begins}`, "-d", `session.save_path=${folder}`], { env: { ...process.env, PHP_FCGI_CHILDREN: "4" }, stdio: "ignore" });
    await accepts(port.php, php);

    const sites = Object.keys(applications).flatMap((name) =>
      Object.entries({ enforced: `preset ${name} matomo`, declared: `preset ${name} matomo\nmonitor`, undeclared: "preset matomo\nmonitor" }).map(
        ([how, options]) => `${site(name, how)} {
          bind 127.0.0.1
          cookie_charter {
            ${options}
          }
          root * /usr/share/${name}
          php_fastcgi 127.0.0.1:${port.php}
          file_server
        }`,
      ),
    );
    const config = path.join(folder, "Caddyfile");
    writeFileSync(config, `{\nadmin localhost:${port.admin}\npersist_config off\nstorage file_system ${folder}/storage\n}\n${sites.join("\n")}\n`);
    caddy = await runCaddy(binary, config, {}, port.http);
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: browserArguments });
  });
  after(async () => {
    await browser?.close();
    for (const child of [caddy, php]) if (child) await end(child);
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const command = (...words) => spawnSync(binary, ["cookie-charter", ...words], { encoding: "utf8" });

  // audit visits pages without a browser, and returns what violates the charter, by visit.
  const audit = (address, pages) => {
    const { stdout, stderr } = command("audit", ...pages.map((page) => address + page), "--format", "json");
    assert.equal(stderr, "");
    const { visits } = JSON.parse(stdout);
    return visits.flatMap(({ visit, cookies }) => cookies.flatMap(({ name, violations }) => violations.map((violation) => `${visit}: ${name} ${violation}`)));
  };

  for (const [name, application] of Object.entries(applications)) {
    test(`${name}: sign in, write, sign out`, async () => {
      const context = await browser.newContext({ locale: "en-GB" });
      const page = await context.newPage();
      const address = site(name, "enforced");
      const held = async () => (await context.cookies()).map((cookie) => cookie.name);

      await application.signIn(page, address);
      const isSignedIn = page.locator(application.signOutLink);
      await isSignedIn.waitFor();
      for (const pattern of application.signedIn) assert.ok((await held()).some((cookie) => pattern.test(cookie)), `${pattern} is not among ${await held()}`);
      await application.write(page, address);
      await page.locator(application.written, { hasText: words }).waitFor();
      await application.signOut(page, address);
      await isSignedIn.waitFor({ state: "detached" });
      await page.goto(address + application.pages[0]);
      assert.equal(await isSignedIn.count(), 0);
      await context.close();

      // Nothing was undeclared, and nothing asked to live longer than declared.
      const { stdout } = command("diff", path.join(folder, "Caddyfile"), "--host", new URL(address).hostname, "--address", `localhost:${port.admin}`);
      const unlike = stdout.trim().split("\n").filter((line) => !line.includes(": unseen: "));
      assert.deepEqual(unlike, []);
      assert.ok(!stdout.includes(`unseen: ${application.first[0]}\n`), stdout);
    });

    test(`${name}: an audit with its preset, and without`, () => {
      assert.deepEqual(audit(site(name, "declared"), application.pages), []);
      const undeclared = application.first.flatMap((cookie) => ["first", "refused", "accepted", "withdrawn"].map((visit) => `${visit}: ${cookie} undeclared`));
      assert.deepEqual(audit(site(name, "undeclared"), application.pages).sort(), undeclared.sort());
    });
  }
});
