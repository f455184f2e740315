// Records in testdata/dates.jsonl what Chromium and Firefox make of the shapes of
// Expires and Max-Age. To be run by hand: npm --prefix e2e run record
//
// A row holds attributes, in which {parts} stand for those of a date, and what
// each browser does with them, for a past and a future date if there are such
// parts: "deleted", "session", "refused" (a tab may do that), "aged" (the Max-Age of
// 3000 counts), "longest" (400 days), or a number of seconds: by how many the cookie
// outlives its date, or, without {parts}, how long it lives, to the hundred. A date
// is the answer's own.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { fill, openBrowsers } from "./dates.js";

const file = path.join(path.dirname(fileURLToPath(import.meta.url)), "../testdata/dates.jsonl");
const usual = "{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT";
const [past, future] = ["1994-11-27T13:45:50Z", "2027-03-27T13:45:50Z"].map((text) => new Date(text));
if (future < Date.now()) throw new Error("the future has come: choose another, within 400 days");

const dates = [
  // The three of RFC 9110, and what servers write besides.
  usual,
  "{weekday}, {DD}-{Mmm}-{YY} {hh}:{mm}:{ss} GMT",
  "{Www} {Mmm} {DD} {hh}:{mm}:{ss} {YYYY}",
  "{Www} {Mmm}  {D} {hh}:{mm}:{ss} {YYYY}",
  "{Www}, {DD}-{Mmm}-{YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD}-{Mmm}-{YY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD} {Mmm} {YY} {hh}:{mm}:{ss} GMT",
  "{weekday}, {DD} {month} {YYYY} {hh}:{mm}:{ss} GMT",
  "{weekday}, {DD}-{month}-{YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {D} {Mmm} {YYYY} {h}:{mm}:{ss} GMT",
  "{Www},{DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
  "{Www} {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT",
  "{Www},  {DD}  {Mmm}  {YYYY}  {hh}:{mm}:{ss}  GMT",
  "{DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
  "{DD}-{Mmm}-{YYYY} {hh}:{mm}:{ss} GMT",
  "{DD} {Mmm} {YYYY} {hh}:{mm}:{ss}",
  "{DD} - {Mmm} - {YYYY} {hh}:{mm}:{ss}",
  "{Mmm} {DD} {YYYY} {hh}:{mm}:{ss}",
  "{Mmm} {DD}, {YYYY} {hh}:{mm}:{ss} GMT",
  "{YYYY} {Mmm} {DD} {hh}:{mm}:{ss} GMT",
  "{hh}:{mm}:{ss} {DD} {Mmm} {YYYY}",
  "({Www}) {DD} [{Mmm}] {YYYY} {hh}:{mm}:{ss}",
  // Scripts: Date's toString, toUTCString and toISOString.
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT+0000 (Coordinated Universal Time)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT+0100 (Central European Standard Time)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT+0100 (heure normale d\u00e2\u0080\u0099Europe centrale)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT-0800 (PST)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT-0330 (Newfoundland Standard Time)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT+0300 (GMT+03:00)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT+0000 (Guinea-Bissau)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT+0200 (W. Europe Daylight Time)",
  "{Www} {Mmm} {DD} {YYYY} {hh}:{mm}:{ss} GMT+0100",
  "{YYYY}-{MM}-{DD}T{hh}:{mm}:{ss}.000Z",
  "{YYYY}-{MM}-{DD}T{hh}:{mm}:{ss}Z",
  "{YYYY}-{MM}-{DD} {hh}:{mm}:{ss}",
  "{epoch}",
  "{epoch}000",
  // Zones.
  ..."UTC|UT|Z|+0000|-0000|+0100|-0500|+01:00|-05:30|GMT+01:00|GMT-0800|CET|CEST|MSK|foo|GMT foo|GMT+0100 -0700|-0001|-0001 -0700".split("|").map((zone) => usual.replace("GMT", zone)),
  ..."PST|PDT|MST|MDT|CST|CDT|EST|EDT|AST|NST|BST|MET|EET|JST|Eastern|estate|(EST)|GMT EST|+01|+1|+010|+01000|UTC+1|GMT (UTC+1)|GMT (Etc/GMT-3)|-0700 +0100|PM|AM|GMT PM|Amt".split("|").map((zone) => usual.replace("GMT", zone)),
  "{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss}Z",
  "{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss}+0100",
  "{Www}, {DD} {Mmm} {YYYY} {hh}:{mm}:{ss}-0700",
  "{Www}, {DD} {Mmm} {YYYY} +0100 {hh}:{mm}:{ss}",
  "{Www} {Mmm} {DD} {hh}:{mm}:{ss} GMT+0100 {YYYY}",
  "{Www} {Mmm} {DD} {hh}:{mm}:{ss} EST {YYYY}",
  // Letters, names and stops.
  "thu, {DD} mar {YYYY} {hh}:{mm}:{ss} gmt",
  "THU, {DD} MAR {YYYY} {hh}:{mm}:{ss} GMT",
  ..."jeu.|jeu|Do|mar.|mar|dom|gio|foo|\u00d7\u0097\u00d7\u009e|Octobre|d'aug|Wdy|Thurs|thu4".split("|").map((day) => usual.replace("{Www}", day)),
  ..."janv.|Jan.|janvier|Sept|m\u00c3\u00a4r|f\u00c3\u00a9vr.|ene|gen|xJan|Jan1|Jan Feb|Jan/Feb".split("|").map((month) => usual.replace("{Mmm}", month)),
  "{Www}. {DD}. {Mmm}. {YYYY}. {hh}:{mm}:{ss}. GMT.",
  `"${usual}"`,
  `'${usual}'`,
  `"{DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT"`,
  `{Www}, {DD} "{Mmm}" {YYYY} {hh}:{mm}:{ss} GMT`,
  // Clocks.
  ..."{hh}:{mm}|{hh}|{h}:{mm}:{ss}|{hh}:{mm}:{ss}.000|{hh}:{mm}:{ss}.123456|{hh}:{mm}:{ss}.|{hh}:{mm}:{ss},000|{hh}.{mm}.{ss}|{hh}:{mm}:60|24:00:00|{hh}:60:{ss}|0:0:0|0{hh}:{mm}:{ss}|{hh}:{mm}:{ss}:00|{hh}::{ss}|{hh}:{mm}:{ss}x|11:{mm}:{ss} pm|11:{mm}:{ss}pm|12:{mm}:{ss} am|11:{mm}:{ss}, pm|{hh}:{mm}:{ss} {hh}:{mm}:{ss}|T{hh}:{mm}:{ss}|".split("|").map((clock) => usual.replace("{hh}:{mm}:{ss}", clock)),
  "{hh}:{mm}:{ss}.12 {DD} {Mmm} {YYYY}",
  "{Mmm} {DD} {hh}:{mm}:{ss}.1234 {YYYY}",
  // Days and years.
  ..."0|00|30|31|32|027|27th|1st".split("|").map((day) => usual.replace("{DD}", day)),
  "{Www}, 31 Apr {YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, 29 Feb 2027 {hh}:{mm}:{ss} GMT",
  "{Www}, 29 Feb 2028 {hh}:{mm}:{ss} GMT",
  ..."0000|0001|0027|0050|0068|0069|0070|0099|0100|1600|1601|1969|1970|9999|10000|40000|00|01|50|68|69|70|99|1|100|197x|20{YYYY}|{YYYY} 2099|{YY} 99".split("|").map((year) => usual.replace("{YYYY}", year)),
  "{Www}, {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD} {YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD} {Mmm} {hh}:{mm}:{ss} GMT",
  "{YY} {Mmm} {DD} {hh}:{mm}:{ss} GMT",
  "32 {Mmm} {DD} {hh}:{mm}:{ss} GMT",
  // Separators at other places.
  "{YYYY}-{Mmm}-{DD} {hh}:{mm}:{ss} GMT",
  "{Www}, {Mmm}-{DD}-{YYYY} {hh}:{mm}:{ss} GMT",
  "{DD}-{MM}-{YYYY} {hh}:{mm}:{ss}",
  "{DD}/{MM}/{YYYY} {hh}:{mm}:{ss}",
  "{MM}/{DD}/{YYYY} {hh}:{mm}:{ss}",
  "{DD}/{Mmm}/{YYYY} {hh}:{mm}:{ss}",
  "{DD}/{Mmm}/{YYYY}:{hh}:{mm}:{ss} +0000",
  "{DD}.{Mmm}.{YYYY} {hh}:{mm}:{ss} GMT",
  "{DD}_{Mmm}_{YYYY}_{hh}:{mm}:{ss}_GMT",
  "{DD}+{Mmm}+{YYYY}+{hh}:{mm}:{ss}+GMT",
  "{Www},/{DD}/{Mmm}/{YYYY}/{hh}:{mm}:{ss}/GMT",
  "{Www}, {DD} {Mmm} -{YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD} {Mmm}.-{YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD} -{Mmm}-{YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD}--{Mmm}--{YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD} {Mmm} {YYYY}-{hh}:{mm}:{ss} GMT",
  "{Www}, {DD} {Mmm} {YYYY} - {hh}:{mm}:{ss} - GMT",
  "{Www}\t{DD}\t{Mmm}\t{YYYY}\t{hh}:{mm}:{ss}\tGMT",
  "{Www}%2C%20{DD}%20{Mmm}%20{YYYY}%20{hh}:{mm}:{ss}%20GMT",
  "{Www}%2C {DD} {Mmm} {YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}, {DD}{Mmm}{YYYY} {hh}:{mm}:{ss} GMT",
  "{Www}={DD}={Mmm}={YYYY}={hh}:{mm}:{ss}=GMT",
  // More behind the date.
  ..." foo|, foo| (foo| foo)| \"|, {DD} Jun 2099 00:00:00 GMT| 7|&x| \u00e9| --| Jun| 12:00:00|,".split("|").map((tail) => usual + tail),
  `${usual}${" x".repeat(480)}`,
  `${usual}${" x".repeat(500)}`,
  "",
  "0",
  "-1",
  "now",
  "Session",
  "Thu, 01 Jan 1970 00:00:00 GMT",
  "Thu, 01-Jan-1970 00:00:01 GMT",
  "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
  "Thu Jan 01 1970 01:00:00 GMT+0100 (heure normale d\u00e2\u0080\u0099Europe centrale)",
  "Wed Dec 31 1969 16:00:00 GMT-0800 (Pacific Standard Time)",
  "Mon, 01 Jan 0001 00:00:00 GMT",
  "Fri, 31 Dec 9999 23:59:59 GMT",
  "Tue, 19 Jan 2038 03:14:07 GMT",
];

const ages = ["", "soon", "+0", "+3000", "-0", "-", "-5x", "--1", "-1", "0", "00", "3000", "003000", "0x0", "1.5", "3000.5", '"0"', '"3000"', "0 1", "1e3", "3000s", "\u00a00", "\u00e0\u00a5\u00a9", "=0", "0=", "9".repeat(30), `-${"9".repeat(30)}`, "0".repeat(1024), "0".repeat(1025)];
const lines = [
  ...ages.flatMap((age) => [`Max-Age=${age}`, `Max-Age=${age}; Expires=${usual}`, `Expires=${usual}; Max-Age=${age}`, `Max-Age=${age}; Max-Age=3000`, `Max-Age=3000; Max-Age=${age}`, `Max-Age=0; Max-Age=${age}; Expires=${usual}`]),
  `Max-Age; Expires=${usual}`,
  `Max-Age=; Max-Age=soon; Expires=${usual}`,
  "Max-Age=0; Max-Age=3000; Max-Age=0",
  "max-age=0",
  "MAX-AGE = 0",
  "\tMax-Age\t=\t0\t",
  "Max\tAge=0",
  "Max-Age=0; Path=/\tx",
  "Max-Age=0; x\ty",
  "Max-Age=\t3000",
  "Max_Age=0",
  "MaxAge=0",
  "Max-Age:0",
  // Letters that fold to others in Unicode, in UTF-8: U+017F, U+00AD, U+212A.
  "Max-Age=3000; Expire\u00c5\u00bf=Thu, 01 Jan 1970 00:00:00 GMT",
  "Max-\u00c2\u00adAge=0",
  "Max\u00e2\u0084\u00aaAge=0",
  `expires=${usual}`,
  `EXPIRES = ${usual}`,
  `Expires=${usual}; Expires=Thu, 01 Jan 1970 00:00:00 GMT`,
  `Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=${usual}`,
  `Expires=soon; Expires=${usual}`,
  `Expires=${usual}; Expires=soon`,
  `Expires=${usual}; Expires=`,
  `Expires=${usual}; Expires`,
  `Expires; Expires=${usual}`,
  `Expires=${"x".repeat(1025)}; Expires=${usual}`,
  `Expires=${usual}; Expires=${"x".repeat(1025)}`,
  `Expires==${usual}`,
  `Expires=${usual}; Path=/; Domain=localhost`,
];

// The answer's own Date, in 2025, with the same Expires some hours later.
const answered = ["Wed, 01 Jan 2025 00:00:00 GMT", "Wed, 01-Jan-25 00:00:00 GMT", "Wed Jan  1 00:00:00 2025", "Wed, 1 Jan 2025 00:00:00 GMT", "Wed, 01 Jan 2025 00:00:00 +0500", "Wed, 01 Jan 2025 00:00:00 -0500", "Wed Jan 01 2025 00:00:00 GMT+0500 (foo)", "jeu., 01 Jan 2025 00:00:00.000 GMT", "Wed, 01 Jan 0025 00:00:00 GMT", "Wed, 01 Jan 69 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "Wed, 01 Jan 2025 00:00:00 EST", "1 Jan 2025", "01/01/2025 00:00:00", "2025-01-01T00:00:00Z", "Wed, 01_Jan_2025 00:00:00 GMT", "soon", "Fri, 01 Jan 2100 00:00:00 +0500"];
const rows = [
  ...[...new Set(dates)].map((date) => ({ attributes: `Expires=${date}` })),
  ...[...new Set(lines)].map((attributes) => ({ attributes })),
  ...answered.flatMap((date) => [2, 8, 20].map((hour) => ({ date, attributes: `Expires=Wed, 01 Jan 2025 ${String(hour).padStart(2, "0")}:00:00 GMT` }))),
];

const browsers = await openBrowsers();
const told = (outcome, moment) => {
  if (typeof outcome === "string") return outcome;
  const seconds = Math.round((outcome - Date.now() / 1000) / 100) * 100;
  if (seconds === 3000) return "aged";
  if (Math.abs(seconds - 400 * 86400) < 86400) return "longest";
  return moment ? outcome - moment / 1000 : seconds;
};
for (const browser of browsers.names) {
  for (const date of [undefined, ...answered]) {
    const asked = rows.filter((row) => row.date === date).flatMap((row) => {
      row[browser] = [];
      return (/\{\w+\}/.test(row.attributes) ? [past, future] : [null]).map((moment) => ({ row, moment }));
    });
    const outcomes = await browsers.outcomes(browser, asked.map(({ row, moment }) => fill(row.attributes, moment ?? past)), date);
    asked.forEach(({ row, moment }, i) => row[browser].push(told(outcomes[i], moment)));
  }
}
await browsers.close();
writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
const alike = rows.filter((row) => JSON.stringify(row.chromium) === JSON.stringify(row.firefox)).length;
console.log(`${rows.length} rows, of which the browsers read ${alike} alike`);
