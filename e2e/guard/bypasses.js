// Ways around an accessor of document.cookie, each of which tries to write a cookie of its own
// name that no row declares. They run in the page: write(name) is the line.
//
// Those of a page share it, as each cookie is judged by its own name; what poisons a realm has
// a page to itself.
export const write = (name) => `${name}=1; path=/; max-age=9999`;

const frame = (properties = {}) => Object.assign(document.createElement("iframe"), properties);
const put = (element) => document.body.appendChild(element);
// Code in a frame tries its own document, and the page's by the frame's own setter.
const inner = (name) => `document.cookie = "${write(name)}"; Object.getOwnPropertyDescriptor(Document.prototype, "cookie").set.call(parent.document, "${write(name + "_parent")}")`;

const frames = {
  blank: (name) => { put(frame()).contentWindow.document.cookie = write(name); },
  blank_document: (name) => { put(frame()).contentDocument.cookie = write(name); },
  blank_index: (name) => { put(frame()); window[window.length - 1].document.cookie = write(name); },
  blank_name: (name) => { put(frame({ name: "named" })); window.named.document.cookie = write(name); },
  blank_setter: (name) => {
    put(frame());
    Object.getOwnPropertyDescriptor(window[window.length - 1].Document.prototype, "cookie").set.call(document, write(name));
  },
  blank_html: (name) => {
    document.body.insertAdjacentHTML("beforeend", "<iframe></iframe>");
    window[window.length - 1].document.cookie = write(name);
  },
  blank_again: (name) => {
    const again = put(frame());
    again.contentWindow.document.cookie = write(name);
    again.remove();
    put(again);
    window[window.length - 1].document.cookie = write(name);
  },
  blank_store: (name) => put(frame()).contentWindow.cookieStore?.set(name, "1"),
  shadow: (name) => {
    const root = put(document.createElement("div")).attachShadow({ mode: "closed" }), hidden = frame();
    root.append(hidden);
    hidden.contentWindow.document.cookie = write(name);
  },
  nested: (name) => {
    const outer = put(frame()).contentDocument;
    outer.body.append(outer.createElement("iframe"));
    outer.defaultView[0].document.cookie = write(name);
  },
  nested_index: (name) => {
    put(frame());
    const outer = window[window.length - 1].document;
    outer.body.append(outer.createElement("iframe"));
    outer.defaultView[0].document.cookie = write(name);
  },
  object: (name) => {
    const object = put(Object.assign(document.createElement("object"), { data: "about:blank" }));
    object.onload = () => { object.contentWindow.document.cookie = write(name); };
  },
  embed: (name) => {
    const embed = put(Object.assign(document.createElement("embed"), { type: "image/svg+xml", src: "/picture" }));
    embed.onload = () => { embed.getSVGDocument().cookie = write(name); };
  },
  written: (name) => {
    const { contentDocument } = put(frame());
    contentDocument.open();
    contentDocument.write(`<script>document.cookie = "${write(name)}"</script>`);
    contentDocument.close();
  },
  written_index: (name) => {
    put(frame());
    window[window.length - 1].document.write(`<script>document.cookie = "${write(name)}"</script>`);
  },
  opened: (name) => {
    const { contentDocument } = put(frame());
    contentDocument.open();
    contentDocument.write("<iframe></iframe>");
    contentDocument.close();
    contentDocument.defaultView[0].document.cookie = write(name);
  },
  srcdoc: (name) => put(frame({ srcdoc: `<script>${inner(name)}</script>` })),
  script_url: (name) => put(frame({ src: `javascript:${encodeURI(`${inner(name)}; ""`)}` })),
  blob: (name) => put(frame({ src: URL.createObjectURL(new Blob([`<script>${inner(name)}</script>`], { type: "text/html" })) })),
  data: (name) => put(frame({ src: `data:text/html,<script>${encodeURIComponent(inner(name))}</script>` })),
  svg: (name) => put(frame({ src: `/svg?${name}` })),
  xhtml: (name) => put(frame({ src: `/xhtml?${name}` })),
  page: (name) => put(frame({ src: `/page?${name}` })),
};

const accessors = {
  setter: (name) => Object.getOwnPropertyDescriptor(Document.prototype, "cookie").set.call(document, write(name)),
  lookup: (name) => document.__lookupSetter__("cookie").call(document, write(name)),
  html_document: (name) => Object.getOwnPropertyDescriptor(HTMLDocument.prototype, "cookie")?.set.call(document, write(name)),
  reflect: (name) => Reflect.set(Document.prototype, "cookie", write(name), document),
  inherited: (name) => { Object.create(document).__proto__.cookie = write(name); },
  changing: (name) => {
    let times = 0;
    document.cookie = { toString: () => (times++ ? write(name) : "needed=1; path=/") };
  },
  throwing: (name) => {
    try {
      document.cookie = { toString() { throw new Error(); }, valueOf: () => write(name) };
    } catch {}
    document.cookie = { [Symbol.toPrimitive]: () => write(name) };
  },
  other_document: (name) => {
    for (const other of [document.implementation.createHTMLDocument(), new DOMParser().parseFromString("<p>", "text/html"), document.cloneNode()]) other.cookie = write(name);
  },
  meta: (name) => document.head.insertAdjacentHTML("beforeend", `<meta http-equiv="set-cookie" content="${write(name)}">`),
  store: (name) => window.cookieStore?.set(name, "1"),
  store_options: (name) => window.cookieStore?.set({ name, value: "1", expires: Date.now() + 1e7, path: "/", sameSite: "lax" }),
  store_getter: (name) => {
    let times = 0;
    return window.cookieStore?.set({ get name() { return times++ ? name : "needed"; }, value: "1" });
  },
  store_prototype: (name) => window.CookieStore?.prototype.set.call(cookieStore, name, "1"),
  answer: (name) => fetch(`/set?${name}`),
  worker: (name) => new Worker(URL.createObjectURL(new Blob([`self.cookieStore?.set("${name}", "1")`]))),
  service_worker: async (name) => {
    await navigator.serviceWorker?.register("/sw.js");
    (await navigator.serviceWorker?.ready)?.active.postMessage(name);
  },
  partitioned: (name) => put(frame({ srcdoc: `<script>document.cookie = "${write(name)}; secure; samesite=none; partitioned"</script>` })),
  nameless: (name) => put(frame({ srcdoc: `<script>document.cookie = "${name}; path=/; max-age=9999"</script>` })),
  deep: (name) => put(frame({ srcdoc: `<script>document.cookie = "${name}=1; path=/accessors; max-age=9999"</script>` })),
  elsewhere: (name) => put(frame({ srcdoc: `<script>document.cookie = "${name}=1; path=/elsewhere; max-age=9999"</script>` })),
  async_script: (name) => document.head.append(Object.assign(document.createElement("script"), { src: `/script.js?${name}`, async: true })),
  module: (name) => document.head.append(Object.assign(document.createElement("script"), { src: `/script.js?${name}`, type: "module" })),
  expired: (name) => { document.cookie = `${name}=1; path=/; expires=Thu, 01 Jan 69 00:00:00 GMT`; },
  deleted: (name) => { document.cookie = `${name}=1; path=/; max-age=0; max-age=`; },
};

// What takes the accessor away, or everything under it.
const replaced = {
  blank_length: (name) => {
    window.length = 0; // it can be replaced
    put(frame({ name: "replaced" }));
    window.replaced.document.cookie = write(name);
  },
};
const removed = {
  deleted_accessor: (name) => {
    delete Document.prototype.cookie;
    document.cookie = write(name);
    put(frame());
    window[0].document.cookie = write(name);
  },
};
const reopened = {
  reopened: (name) => {
    document.open();
    document.write(`<body><script>document.cookie = "${write(name)}"; document.body.append(document.createElement("iframe")); window[0].document.cookie = "${write(name + "_frame")}"</script>`);
    document.close();
  },
};

// poison runs code, and then tries the plain way and an empty frame.
const poison = (code) => (name) => {
  try {
    code(name);
  } catch {}
  const add = Reflect.apply.bind(null, Node.prototype.appendChild, document.body);
  try {
    document.cookie = write(name);
  } catch {}
  try {
    add([document.createElement("iframe")]);
    window[0].document.cookie = write(name + "_frame");
  } catch {}
};
const always = (value) => ({ configurable: true, get: () => value, set() {} });
const poisons = {
  strings: poison(() => {
    for (const method of ["indexOf", "slice", "charCodeAt", "split", "replace", "trim", "startsWith", "endsWith", "toLowerCase", "match", "includes"]) String.prototype[method] = () => "needed";
    String.prototype[Symbol.split] = String.prototype[Symbol.replace] = String.prototype[Symbol.match] = () => ["needed"];
  }),
  expressions: poison(() => {
    RegExp.prototype.exec = RegExp.prototype.test = () => ["needed"];
    RegExp.prototype[Symbol.match] = () => ["needed"];
  }),
  arrays: poison(() => {
    for (const method of ["push", "map", "filter", "find", "some", "includes", "indexOf", "join", "forEach"]) Array.prototype[method] = () => ["needed"];
    Array.prototype[Symbol.iterator] = function* () { yield "needed"; };
    for (const index of ["0", "1"]) Object.defineProperty(Array.prototype, index, always("needed"));
  }),
  objects: poison(() => {
    for (const name of ["get", "set", "value", "writable", "enumerable", "configurable", "group", "flags", "seconds", "name", "window", "cookie", "cache", "headers", "detail"]) Object.defineProperty(Object.prototype, name, always(undefined));
  }),
  tables: poison((name) => {
    Object.prototype[name] = Object.prototype[`${name}_frame`] = { group: 0, seconds: -1, flags: 0 };
    Object.prototype.undeclared = Object.prototype.passes = Object.prototype.monitors = true;
  }),
  functions: poison(() => {
    Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => true;
    Reflect.apply = Reflect.defineProperty = Reflect.getOwnPropertyDescriptor = Reflect.setPrototypeOf = () => true;
    Object.defineProperty = Object.getOwnPropertyDescriptor = () => ({});
  }),
  sets: poison(() => {
    WeakSet.prototype.has = WeakSet.prototype.add = () => true;
    EventTarget.prototype.addEventListener = EventTarget.prototype.dispatchEvent = () => {};
    Object.defineProperty(Event.prototype, "target", always(document));
    Math.max = Math.min = Math.imul = () => 0;
    Date.now = Date.parse = () => 0;
  }),
  promises: poison((name) => {
    Promise.prototype.then = function () { document.cookie = write(name); return this; };
    Object.defineProperty(Promise.prototype, "constructor", always(function () {}));
    Object.defineProperty(Promise, Symbol.species, always(function () {}));
    window.fetch = async () => new Response(`{"state":"1111111","seen":0}`);
    window.cookieStore?.set(name, "1");
  }),
};

export const pages = { frames, accessors, replaced, removed, reopened, ...Object.fromEntries(Object.entries(poisons).map(([name, way]) => [`poisoned_${name}`, { [`poisoned_${name}`]: way }])) };
