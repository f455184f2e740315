// Keeps a document's scripts to the cookies, and the stored items, that the charter declares and
// the visitor allows. It is the first script of the document, and takes all that it calls before
// others can change it; later, it calls no method that they could have changed, but for a timer
// and the event at the end, and iterates over nothing. What it cannot stop, it removes.
// MONITORS is true in the script that stops nothing, and STORAGE in that one and in that for
// charters with stored items.
(() => {
  "use strict";
  const table = ROWS, passes = PASSES, version = VERSION;

  const { apply, defineProperty, getOwnPropertyDescriptor, setPrototypeOf } = Reflect;
  const { Promise, document, fetch, location } = window;
  const { parse, now } = Date;
  const method = (native) => (self, ...values) => apply(native, self, values);
  const find = method("".indexOf), cut = method("".slice), code = method("".charCodeAt), match = method(/x/.exec), select = method([].filter);
  const listen = method(document.addEventListener), json = method(Response.prototype.json);
  const cookie = getOwnPropertyDescriptor(Document.prototype, "cookie"), read = method(cookie.get), write = method(cookie.set);
  const changedOf = window.cookieStore && method(getOwnPropertyDescriptor(CookieChangeEvent.prototype, "changed").get);
  const ownKeys = STORAGE && Reflect.ownKeys, items = STORAGE && Storage.prototype;
  const getItem = STORAGE && method(items.getItem), setItem = STORAGE && method(items.setItem), removeItem = STORAGE && method(items.removeItem);
  const indexedDB = STORAGE && window.indexedDB, factory = STORAGE && IDBFactory.prototype, closeDatabase = STORAGE && method(IDBDatabase.prototype.close);
  const openDatabase = STORAGE && method(factory.open), listDatabases = STORAGE && method(factory.databases), deleteDatabase = STORAGE && method(factory.deleteDatabase);
  const guarded = new WeakSet(), isGuarded = method(guarded.has), mark = method(guarded.add);

  const script = document.currentScript, { src, dataset } = script;
  const question = src.replace(".js?", "?");
  script.remove();

  // Rows by the names that they declare, of prefixes with their asterisk: a name that ends in
  // one finds the row of the prefix, which it also begins with. An asterisk alone is for what
  // no other row declares. A slash stands for a name and nine prefixes, by the digits that they
  // add. Keys of stored items have what no name has before them.
  const rows = { __proto__: null };
  let longest = 0;
  for (const line of table.split("  ")) {
    const [kind, seconds, ...names] = line.split(" "), row = { kind, seconds };
    for (const name of names) {
      if (STORAGE && kind & 4) rows["@" + name] = MONITORS ? { kind, name } : row;
      else rows[name] = rows[name.replace("/", "")] = row;
      longest = Math.max(longest, name.length);
    }
  }
  const isToken = (name) => match(/^[\w!#$%&'*+.^`|~-]+$/, name);
  const rowOf = (name, isItem) => {
    let row = rows[STORAGE && isItem || isToken(name) ? name : "*"];
    for (let end = longest; !row; end--) {
      const begin = cut(name, 0, end);
      row = name[end] > 0 && !(STORAGE && isItem) && rows[begin + "/"] || rows[begin + "*"];
    }
    return row;
  };
  const rowOfItem = (key) => rowOf("@" + key, true);

  // The verdicts of the groups of rows, a digit for each, as the server said last. They are not
  // known any more when cookies that hold answers are others than then, by their hash. The
  // first group is always allowed, the second, which no row declares, never.
  let state = dataset.state, seen = +dataset.seen, isKnown = true, isAsking, wait = 25;
  const allows = ({ kind }) => state[kind >> 3] === "1";
  const isOptional = ({ kind }) => kind > 15;
  const shows = (name) => passes || allows(rowOf(name));

  const trim = (text) => match(/[^\t ](.*[^\t ])?|$/s, text)[0];
  const each = (text, take) => {
    const parts = /[^;]+/g;
    for (let part; (part = match(parts, text)); ) take(part[0]);
  };
  // What has no "=" is a value without a name.
  const nameOf = (text) => trim(match(/^[^=]*(?==)|/, text)[0]);
  const eachCookie = (take) => each(read(document), (text) => take(nameOf(text), trim(text)));
  // One without a name could be part of any.
  const isThere = (name) => !name || find("; " + read(document), "; " + name + "=") >= 0;
  // Of the cookies that hold answers; of their characters, of those of ASCII, as the rest is
  // read in many ways; of their sum, as their order is not known.
  const hash = () => {
    let sum = 0;
    eachCookie((name, text) => {
      let one = 0;
      for (let i = 0; i < text.length; i++) if (code(text, i) < 0x80) one = (one * 65599 + code(text, i)) | 0;
      if (rowOf(name).kind & 1) sum += one;
    });
    return sum >>> 0;
  };

  // What is only monitored is told by its name, once; items have the mark of their keys. Of
  // either kind, there is room for as many.
  let told = "\n", sent = 1;
  const tells = { "": 0, "@": 0 };
  const tell = (name, mark = "") => {
    const line = mark + name + "\n";
    if (tells[mark] < 32 && name.length <= 64 && isToken(name) && find(told, "\n" + line) < 0) {
      tells[mark]++;
      told += line;
    }
  };
  // Of a key that a row declares, what that says is enough. Another one can be somebody's: it is
  // told up to the first part that has a digit, or that is long and has capitals close to each
  // other among small letters, as a random text has; of a short word with digits behind it, the
  // word is told. The server has the same rule (ShowKey in internal/charter/key.go).
  const tellItem = (key) => {
    const { kind, name } = rowOfItem(key);
    if (isOptional({ kind })) return tell(name, "@");
    const { index } = match(/(?!(?=[a-zA-Z\d]{2,7}(?![a-zA-Z\d]))[a-zA-Z]+\d+(?![a-zA-Z\d]))[a-zA-Z]*\d|(?=[a-zA-Z]{8})(?=[A-Z]*[a-z])[a-zA-Z]*[A-Z][a-z]?[A-Z]|$/, cut(key, 0, 99)), begin = cut(key, 0, index);
    if (match(/[a-z]/i, begin)) tell(begin + (index < key.length ? "*" : ""), "@");
  };

  // What is not known to be allowed is held back until it is; it does not replace then what is
  // there, which who wrote it could not read.
  let held = () => {}, holds = 0;
  const hold = (write) => {
    const before = held;
    if (!isKnown && holds++ < 64) held = () => {
      before();
      write();
    };
  };
  // put writes a line as far as it is allowed. Browsers differ over some dates and numbers, so
  // that its lifetime is written anew, as a Max-Age; without one, it ends with the session.
  const put = (to, line) => {
    const pair = match(/[^;]*/, line)[0], name = nameOf(pair);
    let age, date, kept = "";
    each(cut(line, pair.length), (text) => {
      const lifetime = match(/^[\t ]*(?:expires|(max-age))[\t ]*(?:$|=[\t ]*(-?\d{1,99}[\t ]*$)?)/i, text);
      if (!lifetime) kept += ";" + text;
      else if (!lifetime[1]) date = parse(cut(text, find(text, "=") + 1));
      else if (lifetime[2]) age = +lifetime[2];
    });
    const life = age === undefined ? (date - now()) / 1000 : age;

    const isSound = isToken(name) && !match(/[\0-\x08\n-\x1f\x7f]/, line), deletes = isSound && life <= 0;
    const row = rowOf(isSound ? name : ""), most = row.seconds;
    if (deletes) write(to, name + "=" + kept + "; Max-Age=0");
    else if (allows(row) && !(row.kind & 2) && (isKnown || !isOptional(row))) {
      write(to, pair + kept + (life > 0 && most > 0 ? "; Max-Age=" + (life < most ? life - life % 1 : most) : ""));
    } else if (isOptional(row)) hold(() => isThere(name) || put(to, line));
    if (row.kind & 1) check();
  };

  // Items are the same, but those that no row declares are left alone.
  const putItem = (area, key, value) => {
    const row = rowOfItem(key);
    if (allows(row) && (isKnown || !isOptional(row))) setItem(area, key, value);
    else hold(() => {
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
          if (typeof keys[j] === "string" && !allows(rowOfItem(keys[j]))) MONITORS ? tellItem(keys[j]) : removeItem(area, keys[j]);
        }
      } catch {} // a document without storage
    }
  };

  // Databases have the names of items. One that is open cannot be deleted: those that pages have
  // opened close as soon as somebody wants to.
  const sweepDatabases = async () => {
    try {
      const found = await owned(listDatabases(indexedDB));
      for (let i = 0; isKnown && i < found.length; i++) if (!allows(rowOfItem(found[i].name))) MONITORS ? tellItem(found[i].name) : deleteDatabase(indexedDB, found[i].name);
    } catch {} // as above
  };
  const sweepStorage = () => {
    sweepItems();
    sweepDatabases();
  };

  // A cookie that is seen here can be at no other places than these. What no row declares can
  // be a sibling's where it is not this host's alone.
  const remove = (name, isDeclared) => {
    const { hostname, pathname, protocol } = location;
    for (let path = "/", deeper = pathname, tries = 0; path && tries < 32; tries++) {
      let domain = "", next = hostname;
      do {
        const line = (name ? name + "=" : "x") + "; Max-Age=0; Path=" + path + domain + (protocol === "https:" ? "; Secure" : "");
        write(document, line);
        write(document, line + "; Partitioned");
        domain = "; Domain=" + next;
        next = cut(next, find(next, ".") + 1);
      } while (isDeclared && find(domain, ".") > 0);
      if (!isThere(name)) return;
      path = deeper;
      deeper = match(/^.*(?=\/$)|^.*\/|/, path)[0]; // of /a/b: /a/, of that: /a
    }
  };
  const sweep = (name) => {
    const row = rowOf(name);
    if (allows(row) || isOptional(row) && !isKnown) return;
    if (MONITORS) tell(name);
    else remove(name, isOptional(row));
  };
  // Who wrote a cookie elsewhere can know an answer of which nothing is seen here.
  const doubt = (name) => {
    const row = rowOf(name);
    if (isOptional(row) && isKnown && !allows(row)) ask();
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
      seen = hash();
      answer = await owned(json(await owned(fetch(question))));
      if (match(/^1[01]*$/, answer.state)) {
        ({ state } = answer);
        isKnown = hash() === seen;
      }
    } catch {}
    // Soon, where the answer was outrun by another; less and less often where there is none, but
    // for no longer than browsers can wait, which then would not wait at all.
    if (!isKnown) return setTimeout(() => { isAsking = false; ask(); }, wait < 1e6 ? wait *= 2 : wait);
    isAsking = false;
    wait = 25;
    const release = held;
    held = () => {};
    holds = 0;
    release();
    eachCookie(sweep);
    if (STORAGE) sweepStorage();
    document.dispatchEvent(new CustomEvent("cookie-charter", { detail: { allowed: answer.allowed } }));
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
    ...(STORAGE && {
      getItem(key) {
        key = `${key}`;
        return passes || allows(rowOfItem(key)) ? getItem(this, key) : null;
      },
      setItem(key, value) {
        putItem(this, `${key}`, `${value}`);
      },
      open(name, version) {
        if (!arguments.length) return openDatabase(this); // which throws
        const row = rowOfItem((name = `${name}`));
        if (!allows(row)) throw new DOMException("not allowed by the visitor", "SecurityError"); // as where browsers allow none
        const request = version === undefined ? openDatabase(this, name) : openDatabase(this, name, version);
        if (isOptional(row)) listen(request, "success", ({ target: { result } }) => listen(result, "versionchange", ({ newVersion }) => {
          if (newVersion === null) closeDatabase(result);
        }));
        return request;
      },
    }),
    get cookie() {
      let shown = "";
      each(read(this), (text) => {
        if (shows(nameOf(text))) shown += (shown && "; ") + trim(text);
      });
      return shown;
    },
    set cookie(line) {
      put(this, `${line}`);
    },
    // As a line of a document, so that one judgement does for both.
    async set(first, second) {
      const { name = first, value = second, expires, domain, path = "/", sameSite = "strict", partitioned } = first, life = (expires - now()) / 1000;
      put(document, `${name}=${value}; Path=${path}; SameSite=${sameSite}; Secure` + (domain ? "; Domain=" + domain : "") + (expires == null ? "" : "; Max-Age=" + (life - life % 1)) + (partitioned ? "; Partitioned" : ""));
    },
  };
  const replace = (target, name) => install(target, name, getOwnPropertyDescriptor(members, name));

  // guard guards a realm, and those of its frames.
  const guard = (realm) => {
    try {
      const { prototype } = realm.Document;
      if (isGuarded(guarded, prototype)) return;
      mark(guarded, prototype);
      replace(prototype, "cookie");
      if (realm.CookieStore) {
        const { prototype } = realm.CookieStore;
        replace(prototype, "set");
        after(prototype, "get", async (promise) => {
          const item = await owned(promise);
          return item && shows(item.name) ? item : null;
        });
        after(prototype, "getAll", async (promise) => filter(await owned(promise)));
        after(realm.CookieChangeEvent.prototype, "changed", filter);
      }
      if (STORAGE) {
        const { prototype } = realm.Storage;
        replace(prototype, "getItem");
        replace(prototype, "setItem");
        replace(realm.IDBFactory.prototype, "open");
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
    if (inner) guard(inner.defaultView);
    return inner;
  };

  if (!MONITORS) guard(window);
  try {
    if (find(src, version) < 0) ask();
    check();
    eachCookie(sweep);
    if (STORAGE) sweepStorage();
    // Others change cookies, too: workers, other documents, answers. Not of all of it does every
    // browser tell.
    if (changedOf) listen(cookieStore, "change", (event) => {
      check();
      const changed = changedOf(event);
      for (let i = 0; i < changed.length; i++) doubt(changed[i].name);
    });
    let last;
    setInterval(() => {
      if (STORAGE && !MONITORS) sweepItems();
      if (last === (last = read(document))) return;
      check();
      eachCookie(doubt);
    }, 1000);
    listen(window, "pageshow", ({ persisted }) => persisted && ask());
    listen(document, "prerenderingchange", ask);
    // What has been stored is told when the visitor leaves; of databases, what there was before,
    // as browsers take their time to list them.
    listen(document, "visibilitychange", MONITORS ? () => {
      check();
      if (document.visibilityState !== "hidden") return;
      sweepStorage();
      if (told.length > sent) {
        navigator.sendBeacon(question, cut(told, sent));
        sent = told.length;
      }
    } : check);
  } catch {} // a document without cookies
})();
