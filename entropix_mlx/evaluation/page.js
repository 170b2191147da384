(() => {
  const by = (id) => document.getElementById(id);
  const make = (tag, parent, text, look) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (look) made.className = look;
    parent.append(made);
    return made;
  };

  // A head sorts its column: numbers by their beginning, the rest by the alphabet, none last.
  for (const table of document.querySelectorAll(".sortable")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = column ? head.getAttribute("aria-sort") !== "descending"
          : head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const way = down ? -1 : 1;
        const said = (row) => row.cells[column].textContent;
        const order = (one, other) => {
          const a = said(one), b = said(other), m = parseFloat(a), n = parseFloat(b);
          if (!a || !b) return !a - !b;
          return way * (Number.isNaN(m) || Number.isNaN(n) ? a.localeCompare(b) : m - n);
        };
        body.append(...[...body.rows].sort(order));
      });
    });
  }

  // Items are parsed a piece at a time, when one of them is shown.
  const sources = [...document.querySelectorAll("script[type='application/json']")];
  const head = JSON.parse(sources.shift().textContent);
  const kept = new Map();
  const item = (n) => {
    const at = Math.floor(n / head.piece);
    if (!kept.has(at)) {
      if (kept.size > 8) kept.clear();
      kept.set(at, JSON.parse(sources[at].textContent));
    }
    return kept.get(at)[n % head.piece];
  };

  const STEP = 10;
  const form = by("asked"), choice = by("choice"), kind = by("kind"), shown = by("shown");
  const before = by("before"), after = by("after");
  let found = [], first = 0;

  const text = (parent, said, look) => {
    if (said) make("div", parent, said, `text ${look}`);
  };
  const show = () => {
    shown.replaceChildren();
    for (const n of found.slice(first, first + STEP)) {
      const [name, ofKind, prompt, opening, accepted, rejected, answers] = item(n);
      const article = make("article", shown), told = head.kinds[ofKind];
      make("h3", article, `${n + 1}. ${told ? `${told}, ` : ""}${name}`);
      text(article, prompt, "prompt");
      if (opening) make("p", article, `The answer begins: ${opening}`, "accepted");
      if (accepted.length) make("p", article, `Right: ${accepted.join(" | ")}`, "accepted");
      if (rejected.length) make("p", article, `Wrong: ${rejected.join(" | ")}`, "accepted");
      const list = make("ul", article, undefined, "answers");
      if (!answers.length) make("p", article, "No answer yet.", "accepted");
      for (const [sampler, sample, mark, said, given, command, tokens, ended] of answers) {
        const row = make("li", list, undefined, mark), [sign, means] = head.marks[mark];
        const line = make("p", row);
        make("b", line, `${sign} ${means}`);
        line.append(`: ${sampler}, sample ${sample}; ${tokens} tokens, ${ended}`);
        text(row, said, "answer");
        if (!said && tokens) make("p", row, "(empty)");
        if (given !== null && given !== said.trim()) make("p", row, `Settles on: ${given}`);
        if (command) make("code", row, command);
      }
    }
    const last = Math.min(found.length, first + STEP);
    by("at").textContent = found.length ? `${first + 1}–${last} of ${found.length}` : "none";
    before.disabled = first === 0;
    after.disabled = last === found.length;
  };
  const choose = () => {
    const flag = choice.selectedIndex - 1, wanted = kind ? kind.selectedIndex - 1 : -1;
    found = [];
    head.index.forEach(([ofKind, flags], n) => {
      if ((wanted < 0 || ofKind === wanted) && (flag < 0 || (flags >> flag) & 1)) found.push(n);
    });
    first = 0;
    show();
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  choice.addEventListener("change", choose);
  if (kind) kind.addEventListener("change", choose);
  before.addEventListener("click", () => { first = Math.max(0, first - STEP); show(); });
  after.addEventListener("click", () => { first += STEP; show(); });
  choose();
})();
