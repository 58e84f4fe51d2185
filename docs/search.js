/* Search on search.html. It needs no server: the index is a script, because browsers do not fetch files from disk. */
(function () {
  "use strict";
  const SUMMARY = 240; // characters
  const list = document.getElementById("mkdocs-search-results");
  const field = document.getElementById("mkdocs-search-query");
  if (!list || !field) return; // another page

  let index, documents;

  function load(path, then) {
    const script = document.createElement("script");
    script.src = base_url + "/" + path;
    script.onload = then;
    script.onerror = () => { list.textContent = "The search index " + path + " is missing. Build the site again."; };
    document.body.appendChild(script);
  }

  function build() {
    documents = new Map(search_index.docs.map((entry) => [entry.location, entry]));
    index = lunr(function () {
      this.ref("location");
      this.field("title", { boost: 5 });
      this.field("text");
      search_index.docs.forEach((entry) => this.add(entry));
    });
    field.value = new URLSearchParams(location.search).get("q") || "";
    field.addEventListener("input", show);
    document.getElementById("content_search").addEventListener("submit", (event) => event.preventDefault());
    show();
  }

  function words(text) { // without signs at the ends, as in the index: --init_from is init_from
    const tokens = text.toLowerCase().split(/[\s-]+/).map((word) => word.replace(/^\W+|\W+$/g, ""));
    return [...new Set(tokens)].filter((word) => word && lunr.stopWordFilter(word));
  }

  function scores(word) { // of the entries with the word, another form of it, or a longer word that begins with it
    const results = index.query((query) => {
      query.term(word, { boost: 10 });
      query.term(word, { usePipeline: false, wildcard: lunr.Query.wildcard.TRAILING });
    });
    return new Map(results.map((result) => [result.ref, result.score]));
  }

  function search(text) { // entries with all words, best first: sections, or else whole pages
    const by_word = words(text).map(scores);
    if (!by_word.length) return [];
    const total = (ref) => by_word.reduce((sum, scores_by_ref) => sum + scores_by_ref.get(ref), 0);
    const refs = [...by_word[0].keys()].filter((ref) => by_word.every((scores_by_ref) => scores_by_ref.has(ref)));
    const sections = refs.filter((ref) => ref.includes("#"));
    return (sections.length ? sections : refs).sort((a, b) => total(b) - total(a)).map((ref) => documents.get(ref));
  }

  function title(entry) {
    const page = documents.get(entry.location.split("#")[0]).title;
    return page === entry.title ? page : page + " › " + entry.title;
  }

  function summary(entry, text) {
    const lower = entry.text.toLowerCase();
    const places = words(text).map((word) => lower.indexOf(word)).filter((place) => place >= 0);
    const start = places.length ? Math.max(0, Math.min(...places) - SUMMARY / 3) : 0;
    const from = start ? lower.indexOf(" ", start) + 1 : 0;
    if (from + SUMMARY >= lower.length) return (from ? "… " : "") + entry.text.slice(from);
    return (from ? "… " : "") + entry.text.slice(from, from + SUMMARY).replace(/\s+\S*$/, "") + " …";
  }

  function element(name, text, ...children) {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    node.append(...children);
    return node;
  }

  function article(entry, text) {
    const link = element("a", title(entry));
    link.href = base_url + "/" + entry.location;
    return element("article", "", element("h3", "", link), element("p", summary(entry, text)));
  }

  function show() {
    const entries = search(field.value);
    const nothing = element("p", words(field.value).length ? "No results. Try fewer words." : "Type a word or a flag.");
    list.replaceChildren(...(entries.length ? entries.map((entry) => article(entry, field.value)) : [nothing]));
  }

  load("search/lunr.js", () => load("search/search_index.js", build));
})();
