// What browsers make of the attributes of Set-Cookie lines.
import net from "node:net";
import { chromium } from "playwright-core";
import { startFirefox } from "./firefox.js";

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

// fill writes the parts of a date, in UTC, into a text that names them.
export function fill(text, date) {
  const two = (number) => String(number).padStart(2, "0");
  const parts = {
    weekday: days[date.getUTCDay()],
    Www: days[date.getUTCDay()].slice(0, 3),
    DD: two(date.getUTCDate()),
    D: String(date.getUTCDate()),
    month: months[date.getUTCMonth()],
    Mmm: months[date.getUTCMonth()].slice(0, 3),
    MM: two(date.getUTCMonth() + 1),
    YYYY: String(date.getUTCFullYear()),
    YY: two(date.getUTCFullYear() % 100),
    hh: two(date.getUTCHours()),
    h: String(date.getUTCHours()),
    mm: two(date.getUTCMinutes()),
    ss: two(date.getUTCSeconds()),
    epoch: String(date.getTime() / 1000),
  };
  return text.replace(/\{(\w+)\}/g, (_, part) => parts[part]);
}

// random returns a function that returns random numbers below its argument, the
// same for the same seed.
export function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

// What the parts of random dates are made of.
const words = {
  weekday: ["{Www}", "{Www}", "{weekday}", "jeu.", "jeu", "mar.", "Do", "\"{Www}", "'{Www}", "dom", "foo", "est", "am", "\u00e9t\u00e9", ""],
  day: ["{DD}", "{DD}", "{D}", "{DD}th", "{DD}.", "0", "31", "32"],
  month: ["{Mmm}", "{Mmm}", "{month}", "{Mmm}.", "{MM}", "janv.", "sept", "mars", "xjan", "\"{Mmm}"],
  year: ["{YYYY}", "{YYYY}", "{YY}", "0001", "0050", "1600", "69", "1", "100", "10000", "40000"],
  clock: ["{hh}:{mm}:{ss}", "{hh}:{mm}:{ss}", "{h}:{mm}:{ss}", "{hh}:{mm}", "{hh}:{mm}:{ss}.000", "{hh}:{mm}:{ss}.5", "0:0:0", "12:00:00", "24:00:00", "11:59:60", "{hh}.{mm}.{ss}", "{hh}:{mm}:{ss}:00"],
  zone: ["GMT", "GMT", "UTC", "Z", "", "+0100", "-0800", "+0000", "GMT+0100", "GMT-0330", "GMT+01:00", "UTC+2", "EST", "CET", "JST", "PM", "am", "-0001", "+9900", "-9900", "+14"],
  tail: ["", "", "", "(Coordinated Universal Time)", "(GMT+03:00)", "(heure d\u00e9t\u00e9)", "(PST)", "(W. Europe Daylight Time)", "(UTC+1)", "Jun", "-0700", "2099", "7", "23:59:59", "foo", "\"", "(Guinea-Bissau)", "(Etc/GMT-3)"],
};
const orders = [
  ["weekday", "day", "month", "year", "clock", "zone", "tail"],
  ["weekday", "day", "month", "year", "clock", "zone", "tail"],
  ["weekday", "month", "day", "year", "clock", "zone", "tail"],
  ["weekday", "month", "day", "clock", "year", "zone", "tail"],
  ["weekday", "month", "day", "clock", "zone", "year", "tail"],
  ["year", "month", "day", "clock", "zone", "tail"],
];
const separators = [...new Array(40).fill(" "), ...new Array(8).fill("-"), ", ", ", ", ",", "  ", " - ", "--", "/", ".", "_", "+", "(", ")", "[", "]", "\t", ":", "'", '"', "", "", "T", "=", "&"];

// randomDate makes up a date of a moment: most in usual shapes, some with odd
// parts, orders and separators, and few with a byte changed.
export function randomDate(below, date) {
  const order = [...orders[below(orders.length)]];
  if (below(10) === 0) order.sort(() => below(3) - 1);
  if (below(10) === 0) order.splice(below(order.length), 1);
  const odd = 2 + below(9);
  let text = "";
  for (const part of order) {
    const word = words[part][below(odd) ? below(3) : below(words[part].length)];
    if (!word) continue;
    text += (text && (below(odd) ? " " : separators[below(separators.length)])) + word;
  }
  text = fill(text, date);
  if (below(15) === 0) {
    const at = below(text.length);
    text = text.slice(0, at) + String.fromCharCode(32 + below(95)) + text.slice(at + below(2));
  }
  return text.replaceAll(";", ",");
}

// openBrowsers starts Chromium and Firefox, each with a page at a raw origin that
// answers with the lines of a list, of which the first tells the Date.
export async function openBrowsers() {
  const answers = [];
  const origin = net.createServer((socket) => {
    let request = "";
    socket.on("error", () => {});
    socket.on("data", (data) => {
      request += data.toString("latin1");
      if (!request.endsWith("\r\n\r\n")) return;
      const fields = answers[/^GET \/(\d+) /.exec(request)?.[1]] ?? [];
      socket.end(Buffer.from(["HTTP/1.1 200 OK", "Content-Type: text/plain", "Cache-Control: no-store", "Connection: close", ...fields, "Content-Length: 2", "", "ok"].join("\r\n"), "latin1"));
    });
  });
  await new Promise((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const url = `http://localhost:${origin.address().port}/none`;
  const playwright = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
  const context = await playwright.newContext();
  const firefox = await startFirefox();
  const browsers = {
    chromium: { page: await context.newPage(), cookies: () => context.cookies(), clearCookies: () => context.clearCookies() },
    firefox: { page: await firefox.newPage(), cookies: firefox.cookies, clearCookies: firefox.clearCookies },
  };
  for (const { page } of Object.values(browsers)) await page.goto(url);

  // outcomes returns what a browser makes of each list of attributes: "deleted",
  // "session", "refused" (the cookie that was there stays) or when it expires, in
  // seconds since 1970.
  async function outcomes(browser, lists, date) {
    const { page, cookies, clearCookies } = browsers[browser];
    const found = [];
    for (let start = 0; start < lists.length; start += 100) {
      const batch = lists.slice(start, start + 100);
      const dated = date ? [`Date: ${date}`] : [];
      const at = answers.push(batch.map((_, i) => `Set-Cookie: c${i}=old; Max-Age=86400`), [...dated, ...batch.map((list, i) => `Set-Cookie: c${i}=new; ${list}`)]) - 2;
      await clearCookies();
      await page.evaluate((at) => fetch(`/${at}`), at);
      await page.evaluate((at) => fetch(`/${at}`), at + 1);
      const stored = Object.fromEntries((await cookies()).map((cookie) => [cookie.name, cookie]));
      batch.forEach((_, i) => {
        const cookie = stored[`c${i}`];
        if (!cookie || cookie.expires >= 0 && cookie.expires < Date.now() / 1000) found.push("deleted");
        else if (cookie.value === "old") found.push("refused");
        else found.push(cookie.expires === undefined || cookie.expires === -1 ? "session" : Math.round(cookie.expires));
      });
    }
    return found;
  }
  const close = async () => {
    await playwright.close();
    await firefox.close();
    origin.close();
  };
  return { outcomes, close, names: Object.keys(browsers) };
}
