// Keeps a document's scripts to the cookies, and the stored items, that the charter declares
// and the visitor allows. It is the first script of the document, and takes all that it calls before others
// can change it; later, it calls no method that they could have changed, and iterates over
// nothing. What it cannot stop, it removes. STORAGE is false in the script for charters
// without stored items.
(() => {
  "use strict";
  const charter = CHARTER, version = VERSION, { monitors, passes, undeclared } = charter;

  const { apply, defineProperty, getOwnPropertyDescriptor, setPrototypeOf } = Reflect;
  const { CookieStore, CookieChangeEvent, CustomEvent, Promise, document, fetch, location, setTimeout } = window;
  const { parse, now } = Date, { imul } = Math;
  const method = (native) => (self, ...values) => apply(native, self, values);
  const getter = (type, name) => method(getOwnPropertyDescriptor(type.prototype, name).get);
  const find = method("".indexOf), cut = method("".slice), code = method("".charCodeAt), match = method(/x/.exec), select = method([].filter);
  const listen = method(document.addEventListener), dispatch = method(document.dispatchEvent), json = method(Response.prototype.json);
  const read = getter(Document, "cookie"), viewOf = getter(Document, "defaultView"), changedOf = CookieChangeEvent && getter(CookieChangeEvent, "changed");
  const write = method(getOwnPropertyDescriptor(Document.prototype, "cookie").set);
  const ownKeys = STORAGE && Reflect.ownKeys, items = STORAGE && Storage.prototype;
  const getItem = STORAGE && method(items.getItem), setItem = STORAGE && method(items.setItem), removeItem = STORAGE && method(items.removeItem);
  const guarded = new WeakSet(), isGuarded = method(guarded.has), mark = method(guarded.add);

  const script = document.currentScript, { src, dataset } = script;
  const question = src.replace("guard.js", "guard");
  script.remove();

  // Rows by the names that they declare, of prefixes with their asterisk: a name that ends in
  // one finds the row of the prefix, which it also begins with. A slash stands for nine
  // prefixes, by the digits. Keys of stored items have what no name has before them.
  const rows = { __proto__: null };
  let longest = 0;
  for (const [group, seconds, flags, names] of charter.rows) {
    const add = (name) => {
      rows[name] = { group, seconds, flags };
      longest = Math.max(longest, name.length);
    };
    for (const name of names.split(" ")) {
      if (STORAGE && flags & 4) add("@" + name);
      else if (name.endsWith("/")) for (const digit of "123456789") add(name.slice(0, -1) + digit + "*");
      else add(name);
    }
  }
  const isToken = (name) => match(/^[\w!#$%&'*+.^`|~-]+$/, name);
  const rowOf = (name, isItem) => {
    if (!(STORAGE && isItem) && !isToken(name)) return;
    let row = rows[name];
    for (let end = name.length < longest ? name.length : longest; !row && end; end--) row = rows[cut(name, 0, end) + "*"];
    return row;
  };
  const rowOfItem = (key) => rowOf("@" + key, true);

  // The verdicts of the groups of rows, a digit for each, as the server said last. They are not
  // known any more when cookies that hold answers are others than then, by their hash. The
  // first group is always allowed.
  let state = dataset.state, seen = +dataset.seen, isKnown, isAsking, wait = 25;
  const allows = (row) => (row ? state[row.group] === "1" : undeclared);
  const shows = (name) => passes || allows(rowOf(name));

  const trim = (text) => (match(/[^\t ](.*[^\t ])?/s, text) || [""])[0];
  const each = (text, take) => {
    for (let start = 0, end; start <= text.length; start = end + 1) {
      end = find(text, ";", start);
      if (end < 0) end = text.length;
      take(cut(text, start, end));
    }
  };
  // halves cuts at the first "=". What has none is a name, or a value without one.
  const halves = (text, isName) => {
    const at = find(text, "=");
    return at < 0 ? { name: isName ? trim(text) : "", value: "" } : { name: trim(cut(text, 0, at)), value: trim(cut(text, at + 1)) };
  };
  const eachCookie = (take) => each(read(document), (text) => {
    const { name, value } = halves(text);
    if (text) take(name, value);
  });
  const isThere = (name) => {
    let found = false;
    eachCookie((other) => { found = found || other === name; });
    return found;
  };
  // In UTF-8, where each surrogate of a pair takes two.
  const bytes = (text) => {
    let count = 0;
    for (let i = 0; i < text.length; i++) {
      const char = code(text, i);
      count += char < 0x80 ? 1 : char < 0x800 || char >> 11 === 27 ? 2 : 3;
    }
    return count;
  };
  // Of the cookies that hold answers; of their characters, of those of ASCII, as the rest is
  // read in many ways; of their sum, as their order is not known.
  const hash = () => {
    let sum = 0;
    eachCookie((name, value) => {
      const row = rowOf(name), text = name + "=" + value;
      let one = 0x811c9dc5;
      for (let i = 0; i < text.length; i++) if (code(text, i) < 0x80) one = imul(one ^ code(text, i), 0x1000193);
      if (row && row.flags & 1) sum += one;
    });
    return sum >>> 0;
  };

  // What is only monitored is told by its name, once.
  let told = "\n", tells = 0, sent = 1;
  const tell = (name) => {
    if (tells < 32 && name.length <= 64 && isToken(name) && find(told, "\n" + name + "\n") < 0) {
      tells++;
      told += name + "\n";
    }
  };

  // What is not known to be allowed is held back until it is; it does not replace then what is
  // there, which who wrote it could not read.
  let held, holds = 0;
  const behind = (before, write) => () => {
    if (before) before();
    write();
  };
  // put writes a line as far as it is allowed.
  const put = (to, line) => {
    const stop = find(line + ";", ";"), rest = cut(line, stop), { name, value } = halves(cut(line, 0, stop));
    let age, isBad, isPlus, date, hasTab, kept = "";
    if (rest) each(cut(rest, 1), (text) => {
      const { name, value } = halves(text, true), isAge = match(/^max-age$/i, name), isDate = match(/^expires$/i, name);
      if (!isAge && !isDate) kept += ";" + text;
      if (find(name + value, "\t") >= 0) hasTab = true;
      if (value.length > 1024) return; // what counts of it is ASCII
      if (isAge) {
        isBad = !match(/^-?\d+$/, value);
        isPlus = isBad && value[0] === "+";
        if (!isBad) age = +value;
      }
      if (isDate) date = parse(value);
    });
    // How long it lives in seconds, if not until the session ends; NaN if that is not certain.
    const hasAge = age !== undefined;
    let life;
    if (hasAge || isPlus || date !== undefined) life = hasTab || isBad && hasAge ? NaN : hasAge ? age : (date - now()) / 1000;

    const isSound = isToken(name) && bytes(name) + bytes(value) <= 4096 && !match(/[\0-\x08\n-\x1f\x7f]/, line);
    const row = isSound ? rowOf(name) : undefined, most = row ? row.seconds : -1, deletes = isSound && life <= 0;
    const isOptional = row && row.group;
    if (deletes || allows(row) && !(row && row.flags & 2) && (isKnown || !isOptional)) {
      // Browsers read some dates otherwise than Date.parse, so that none decides by itself.
      if (deletes) line = name + "=", kept = rest + "; Max-Age=0";
      else if (life === undefined || most < 0 || hasAge && life <= most) kept = rest;
      else if (most && life > 0) kept = rest + "; Max-Age=" + (life < most ? life - life % 1 : most);
      write(to, cut(line, 0, stop) + kept);
    } else if (isOptional && !isKnown && holds++ < 64) held = behind(held, () => isThere(name) || put(to, line));
    if (row && row.flags & 1) check();
  };

  // Items are the same, but those that no row declares are left alone.
  const putItem = (area, key, value) => {
    const row = rowOfItem(key);
    if (!row || !row.group || allows(row) && isKnown) setItem(area, key, value);
    else if (!isKnown && holds++ < 64) held = behind(held, () => {
      try {
        if (getItem(area, key) === null) putItem(area, key, value);
      } catch {} // no room
    });
  };
  const sweepItems = () => {
    for (let i = 0; i < 2; i++) {
      try {
        const area = i ? window.sessionStorage : window.localStorage, keys = ownKeys(area);
        for (let j = 0; isKnown && j < keys.length; j++) {
          const row = typeof keys[j] === "string" && rowOfItem(keys[j]);
          if (row && !allows(row)) removeItem(area, keys[j]);
        }
      } catch {} // a document without storage
    }
  };

  // A cookie that is seen here can be at no other places than these. What no row declares can
  // be a sibling's where it is not this host's alone.
  const remove = (name, isDeclared) => {
    const { hostname, pathname, protocol } = location;
    for (let turn = 0; turn < 2; turn++) {
      for (let end = 1, tries = 0; end <= pathname.length && tries < 32; end++) {
        if (end > 1 && end < pathname.length && pathname[end] !== "/" && pathname[end - 1] !== "/") continue;
        tries++;
        let domain = "", next = hostname;
        do {
          write(document, (name ? name + "=" : "x") + "; Max-Age=0; Path=" + cut(pathname, 0, end) + domain + (protocol === "https:" ? "; Secure" : "") + (turn ? "; Partitioned" : ""));
          domain = "; Domain=" + next;
          next = cut(next, find(next, ".") + 1);
        } while (isDeclared && find(domain, ".") > 0);
        if (!isThere(name)) return;
      }
    }
  };
  const sweep = (name) => {
    const row = rowOf(name);
    if (allows(row) || row && !isKnown) return;
    if (monitors) tell(name);
    else remove(name, row);
  };
  // Who wrote a cookie elsewhere can know an answer of which nothing is seen here.
  const doubt = (name) => {
    const row = rowOf(name);
    if (row && isKnown && !allows(row)) ask();
    else sweep(name);
  };

  // An await of a promise that has its own constructor calls nothing of the page's.
  const owned = (promise) => {
    defineProperty(promise, "constructor", { __proto__: null, value: Promise });
    return promise;
  };
  const ask = async () => {
    isKnown = false;
    if (isAsking) return;
    isAsking = true;
    let answer;
    try {
      const asked = hash();
      answer = await owned(json(await owned(fetch(question, { __proto__: null, cache: "no-store", credentials: "same-origin" }))));
      if (match(/^1[01]*$/, answer.state)) {
        ({ state } = answer);
        seen = asked;
        isKnown = hash() === asked;
      }
    } catch {}
    // Soon, where the answer was outrun by another; less and less often where there is none.
    if (!isKnown) return apply(setTimeout, window, [() => { isAsking = false; ask(); }, wait *= 2]);
    isAsking = false;
    wait = 25;
    const release = held;
    held = undefined;
    holds = 0;
    if (release) release();
    eachCookie(sweep);
    if (STORAGE) sweepItems();
    dispatch(document, new CustomEvent("cookie-charter", { __proto__: null, detail: { allowed: answer.allowed } }));
  };
  const check = () => {
    if (hash() !== seen) ask();
  };

  const install = (target, name, member) => {
    setPrototypeOf(member, null);
    defineProperty(target, name, member);
  };
  // after has a function see what a native of some object returns, and return it or another.
  const after = (target, name, then) => {
    const native = getOwnPropertyDescriptor(target, name);
    if (!native) return;
    const kind = native.get ? "get" : "value", call = native[kind];
    native[kind] = { [name](...values) { return then(apply(call, this, values)); } }[name];
    install(target, name, native);
  };
  const filter = (list) => select(list, ({ name }) => shows(name));
  const members = {
    get cookie() {
      let shown = "";
      each(read(this), (text) => {
        if (shows(halves(text).name)) shown += (shown && "; ") + trim(text);
      });
      return shown;
    },
    set cookie(line) {
      put(this, `${line}`);
    },
    // As a line of a document, so that one judgement does for both.
    async set(...values) {
      const { name, value, expires, domain, path, sameSite, partitioned } = values.length > 1 ? { __proto__: null, name: values[0], value: values[1] } : values[0];
      const life = (expires - now()) / 1000;
      put(document, `${name}=${value}; Path=${path || "/"}; SameSite=${sameSite || "strict"}; Secure` + (domain ? "; Domain=" + domain : "") + (expires == null ? "" : "; Max-Age=" + (life - life % 1)) + (partitioned ? "; Partitioned" : ""));
    },
  };

  const itemMembers = STORAGE && {
    getItem(key) {
      key = `${key}`;
      const row = rowOfItem(key);
      return passes || !row || allows(row) ? getItem(this, key) : null;
    },
    setItem(key, value) {
      putItem(this, `${key}`, `${value}`);
    },
  };

  // guard guards a realm, and those of its frames.
  const guard = (realm) => {
    try {
      const { prototype } = realm.Document;
      if (isGuarded(guarded, prototype)) return;
      mark(guarded, prototype);
      install(prototype, "cookie", getOwnPropertyDescriptor(members, "cookie"));
      if (CookieStore) {
        const { prototype } = realm.CookieStore;
        install(prototype, "set", getOwnPropertyDescriptor(members, "set"));
        after(prototype, "get", async (promise) => {
          const item = await owned(promise);
          return item && shows(item.name) ? item : null;
        });
        after(prototype, "getAll", async (promise) => filter(await owned(promise)));
        after(realm.CookieChangeEvent.prototype, "changed", filter);
      }
      if (STORAGE) {
        const { prototype } = realm.Storage;
        install(prototype, "getItem", getOwnPropertyDescriptor(itemMembers, "getItem"));
        install(prototype, "setItem", getOwnPropertyDescriptor(itemMembers, "setItem"));
      }
      const kinds = ["IFrame", "Frame", "Object"];
      for (let i = 0; i < 3; i++) {
        const { prototype } = realm["HTML" + kinds[i] + "Element"];
        after(prototype, "contentWindow", enter);
        after(prototype, "contentDocument", enterDocument);
      }
      after(realm, "open", enter);
      // An empty frame has loaded before who put it in goes on. A document that is opened anew
      // forgets who listens.
      const enterFrames = () => {
        for (let i = 0; realm[i]; i++) guard(realm[i]);
      };
      const attend = (result) => {
        listen(realm.document, "load", enterFrames, true);
        return result;
      };
      after(prototype, "open", attend);
      after(prototype, "write", attend);
      after(prototype, "writeln", attend);
      attend();
      enterFrames();
    } catch {} // of another origin
  };
  const enter = (realm) => {
    if (realm) guard(realm);
    return realm;
  };
  const enterDocument = (inner) => {
    if (inner) guard(viewOf(inner));
    return inner;
  };

  if (!monitors) guard(window);
  try {
    isKnown = find(src, version) > 0 && hash() === seen;
    if (!isKnown) ask();
    eachCookie(sweep);
    if (STORAGE) sweepItems();
    // Others change cookies, too: workers, other documents, answers. Not of all of it does every
    // browser tell.
    if (CookieStore) listen(cookieStore, "change", (event) => {
      check();
      const changed = changedOf(event);
      for (let i = 0; i < changed.length; i++) doubt(changed[i].name);
    });
    let last;
    setInterval(() => {
      if (STORAGE) sweepItems();
      if (last === (last = read(document))) return;
      check();
      eachCookie(doubt);
    }, 1000);
    listen(window, "pageshow", ({ persisted }) => persisted && ask());
    listen(document, "prerenderingchange", ask);
    listen(document, "visibilitychange", () => {
      check();
      if (told.length > sent && document.visibilityState === "hidden") {
        navigator.sendBeacon(question, cut(told, sent));
        sent = told.length;
      }
    });
  } catch {} // a document without cookies
})();
