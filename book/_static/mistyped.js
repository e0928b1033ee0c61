// A word that no page has may be mistyped: what is looked up instead is the nearest word
// that pages have, and the search says so.
{
  const CHINESE = /[\u4e00-\u9fff]/;
  const given = Search.query;
  const stem = (word) => new Stemmer().stemWord(word.toLowerCase());

  /** Whether the index has a word, or one that begins so. */
  function known(word) {
    const { terms, titleterms } = Search._index;
    const has = (one) => Object.hasOwn(terms, one) || Object.hasOwn(titleterms, one);
    if (CHINESE.test(word)) return splitQuery(word).every(has);
    const short = stem(word);
    const stop = stopwords.includes(word.toLowerCase()) || /^\d+$/.test(word);
    return stop || has(short) || Object.keys(terms).some((term) => term.startsWith(short));
  }

  /** In how many places two words differ; two letters exchanged are one (OSA distance). */
  function distance(a, b) {
    let older, old;
    let row = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 1; i <= a.length; i++) {
      [older, old, row] = [old, row, [i]];
      for (let j = 1; j <= b.length; j++) {
        row[j] = Math.min(old[j] + 1, row[j - 1] + 1, old[j - 1] + (a[i - 1] !== b[j - 1]));
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
          row[j] = Math.min(row[j], older[j - 2] + 1);
      }
    }
    return row[b.length];
  }

  /** The word of the book, of equally near ones the most frequent, or nothing. */
  function nearest(word, words) {
    const lower = word.toLowerCase();
    const most = CHINESE.test(word) || word.length < 8 ? 1 : 2;
    if (word.length < (CHINESE.test(word) ? 3 : 4)) return undefined;
    let found;
    let least = most + 1;
    for (const other of words) {
      if (Math.abs(other.length - lower.length) >= least) continue;
      const far = distance(lower, other);
      if (far < least) [found, least] = [other, far];
    }
    return found;
  }

  /** The words of all pages, the most frequent first, fetched when they are needed. */
  function bookWords() {
    return new Promise((resolve) => {
      const script = document.createElement("script"); // a page on a disk may load it
      script.src = "_static/words.js";
      script.onload = () => resolve(globalThis.bookWords);
      script.onerror = () => resolve([]);
      document.head.append(script);
    });
  }

  Search.query = async (query) => {
    const words = query.match(WORDS) ?? [];
    const unknown = words.filter((word) => !known(word));
    const said = Documentation.gettext;
    Documentation.gettext = (text) => {
      if (!text.startsWith("Your search did not match")) return said(text);
      const what = words.length > 1 && !unknown.length ? "has all the words of" : "has";
      return `No page ${what} “${query}”${unknown.length ? ", nor a word like it" : ""}.`;
    };
    if (!unknown.length) return given(query);
    const all = await bookWords();
    let mended = query;
    for (const word of unknown) mended = mended.replace(word, nearest(word, all) ?? word);
    if (mended !== query) {
      const note = document.createElement("p");
      note.className = "mistyped";
      note.textContent = `No page has “${query}”. These have “${mended}”:`;
      Search.title.after(note);
    }
    given(mended);
  };
}
