// Writes docs/trackers.md: what browsers keep and call on a portal with the services that
// portals use, by what stands before it and by the visitor's answer. It takes about eight
// minutes: npm --prefix e2e run trackers
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { root } from "./parts.js";
import { browsers, necessary, ofOwnScripts, services, setups, startServices, Visitor } from "./services.js";

const file = path.join(root, "docs/trackers.md");
const columns = ["browser", "setup", "answer", "own", "thirdParty", "hosts", "stored"];
const answers = ["none", "refused", "granted", "withdrawn"];

// readFigures returns the rows of the published table.
export const readFigures = () =>
  readFileSync(file, "utf8").split("\n").filter((line) => line.startsWith("| ") && line.split("|").length === columns.length + 2).slice(1)
    .map((line) => Object.fromEntries(line.split("|").slice(1, -1).map((text, i) => [columns[i], text.trim()])));

// measure returns what a new visitor's browser keeps and calls.
async function measure(parts, browser, setup, answer) {
  const visitor = await Visitor.arrive(parts, browser, setup);
  try {
    if (answer === "withdrawn") {
      await visitor.answer("granted");
      await visitor.visit("/");
      await visitor.rest();
      await visitor.visit("/terms/cookies-policy/");
      await visitor.rest();
      await visitor.answer("refused");
    } else if (answer !== "none" && setup !== "plain") {
      await visitor.answer(answer);
    }
    visitor.begin();
    await visitor.visit("/");
    const own = [await visitor.held()];
    await sleep(5000);
    own.push(await visitor.held());
    await visitor.visit("/explore/");
    own.push(await visitor.held());
    await visitor.rest();
    const { local, session, databases } = await visitor.stored();
    return {
      version: visitor.version,
      own: [...own.map((held) => held.own.size), visitor.seen.own.size].join(" / "),
      thirdParty: `${visitor.seen.third.size} / ${visitor.sets.length}`,
      hosts: visitor.hosts,
      stored: `${local} / ${session} / ${databases}`,
      names: [...visitor.seen.own].sort(),
      polls: visitor.polls,
    };
  } finally {
    await visitor.leave();
  }
}

// measureAll returns what a browser keeps and calls behind each setup.
async function measureAll(browser) {
  const parts = await startServices();
  const rows = [];
  try {
    for (const setup of Object.keys(setups)) {
      for (const answer of setup === "plain" ? ["none"] : answers) {
        const measured = await measure(parts, browser, setup, answer);
        console.log(browser, setup, answer, JSON.stringify(measured));
        rows.push({ browser, setup, answer, ...measured });
      }
    }
  } finally {
    await parts.stop();
  }
  return rows;
}

async function main() {
  const rows = (await Promise.all(Object.keys(browsers).map(measureAll))).flat();
  writeFileSync(file, report(rows));
}

// report returns the text that is published.
function report(rows) {
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, "e2e/package.json"), "utf8"));
  const names = (some) => some.map((name) => `\`${name}\``).join(", ");
  const row = (browser, setup, answer) => rows.find((row) => row.browser === browser && row.setup === setup && row.answer === answer);
  const versions = [...new Set(rows.map(({ version }) => version))];
  const before = row("Chromium", "plain", "none");
  // What both options leave, of the browser's own rows but those of who has granted.
  const ungranted = rows.filter(({ setup, answer }) => setup === "both" && answer !== "granted");
  const left = [...new Set(ungranted.flatMap(({ names }) => names))].sort();
  const polls = ungranted.reduce((sum, { polls }) => sum + polls, 0);
  const kept = row("Chromium", "hosts", "none");
  const others = (some) => some.filter((name) => !necessary.includes(name));
  const packageOf = (service) => (service.package ? `\`${service.package}\` ${devDependencies[service.package]}` : "a stand-in");
  const declared = ({ key, hosts, script }) => (key === undefined ? "not declared" : [...hosts, ...(script ? [script] : [])].map((host) => `\`${host}\``).join(" "));
  return `# What trackers do behind a charter

\`npm --prefix e2e run trackers\` wrote this file on ${new Date().toISOString().slice(0, 10)}, with ${versions.join(" and ")}; it is not edited by hand. [\`e2e/services.test.js\`](../e2e/services.test.js) holds its figures of hosts and of other sites' cookies in every run of the tests, and with \`guard\` those of own cookies, unless they are granted, and of storage, but for some of the rows without \`hosts\`. [Enforcement](enforcement.md) tells what cookies and hosts are judged by.

A portal's page uses ${services.length} services. Behind plain Caddy, it leaves ${before.own.split(" / ")[3]} cookies of its own and ${before.thirdParty.split(" / ")[0]} of other sites in Chromium, and calls ${before.hosts.length} other hosts. With \`hosts\`, before an answer and after a refusal, it calls ${kept.hosts.length}, both of a map that the charter declares as necessary; what is left besides necessary cookies are those that the portal's own scripts write: ${names(others(kept.names))}. With \`hosts\` and \`guard\`, before an answer, after a refusal and after a withdrawal, the portal had no cookies at any time but ${names(left)}, in ${polls} looks of both browsers, and nothing in its storage. Granted, all that is declared works.

| browser | what stands before the portal | answer | own cookies when the page is loaded / 5 s later / on the next page / at any time | cookies of other sites: kept / set | other hosts that are called | keys in local storage / session storage / databases |
|---|---|---|---|---|---|---|
${rows.map((row) => `| ${[row.browser, setups[row.setup], row.setup === "plain" ? "none asked for" : row.answer, row.own, row.thirdParty, row.hosts.length, row.stored].join(" | ")} |`).join("\n")}

## What is measured

Each row is a new profile of the browser, in which cookies of other sites are not blocked, with Firefox's total cookie protection as everyone has it. The visitor answers everything on the charter page or nothing; who withdraws has granted, looked at a page, and refused. Then two pages are looked at: the browser itself is asked for its cookies every 40 ms (Chromium's \`Storage.getCookies\`, Firefox's \`storage.getCookies\`), and the services' hosts count who calls them. What was called before the answer is not counted.

- *Own cookies* are those of the portal and of its registrable domain, at three instants, and all that were there at any time, be it to try whether cookies work: trackers write when they please, and what is removed by an answer they write again, so with a charter of cookies alone the figures of instants differ by several from run to run. ${names(necessary)} are necessary; the first has the answer.
- *Cookies of other sites*: how many the browser had at any time, and how many hosts set in that time. Nothing that stands before the portal can take from the browser what another site set there: after a withdrawal they are kept, and not sent from the portal's pages any more.
- *Storage* is what scripts of the portal's pages have stored, on the second page. No header reaches it: without \`guard\`, what granted trackers stored stays after a withdrawal. With it, what no answer allows of the presets' rows, which is all here, is not stored, and is removed.

| service | its code | hosts and scripts that the charter declares |
|---|---|---|
${services.map((service) => `| ${service.name} | ${packageOf(service)} | ${declared(service)} |`).join("\n")}

The packages are what their vendors publish, started as their documentation has it, PostHog without recordings and surveys, in browsers that do not say that they are driven. The banner is tarteaucitron's (\`tarteaucitronjs\` ${devDependencies.tarteaucitronjs}), set up to let everything through, which also starts Google's stand-in, and \`js-cookie\` ${devDependencies["js-cookie"]} stores something for the portal. Stand-ins are a few lines of our own, as no package has the code: they load from the real names, write cookies of names that the services are known for, and send something to the real names. Which cookies the hosts set is ours, too: real ones may set others, and the map's may set none. All hosts are on this machine, under their real names, behind a proxy that knows no way out, with certificates that browsers are told to take.

## What the figures do not show

- **Code of the portal's own**: ${names(ofOwnScripts)} are written by scripts in the page or of the portal, and so is Mixpanel's cookie, as this portal serves its code and no row declares the script. A policy of hosts does not reach that; \`script\` does where a path is declared, as for \`/static/xtcore.js\` here. What scripts in the page itself write, no header reaches, but [\`guard\`](guard.md) does. It keeps these from being written after a grant, too, as no row declares them: a portal that needs them declares them.
- **Frames**: an allowed video's page calls hosts that it likes (\`i.ytimg.com\` here), as it has a policy of its own.
- **The services' real answers**: what their hosts would send besides, such as more scripts, is not there, nor are Firefox's lists of trackers, which are fetched from the network.
- **Real portals**: this one is made to have one of everything. What a page of yours calls, \`hosts monitor\` tells.
`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main();
