(() => {
  const by = (id) => document.getElementById(id);
  const panel = by("panel"), slider = by("at"), told = by("told"), more = by("more");

  if (!slider) return;
  panel.hidden = false;

  // Tokens stand in blocks, each of which knows the number of its first one.
  const blocks = [...document.querySelectorAll(".t[data-n]")];
  const firsts = blocks.map((block) => +block.dataset.n);
  const count = +slider.max;
  const element = (n) => {
    let low = 0, high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (firsts[middle] <= n) low = middle; else high = middle - 1;
    }
    return blocks[low].children[n - firsts[low]];
  };
  const number = (target) => {
    if (!(target instanceof Element) || target.tagName !== "I") return -1;
    const block = target.parentNode;
    if (!block.dataset.n) return -1;
    return +block.dataset.n + Array.prototype.indexOf.call(block.children, target);
  };

  // Details are parsed a piece at a time, when one of its tokens is looked at.
  const sources = [...document.querySelectorAll("script[type='application/json']")];
  const fields = JSON.parse(sources.shift().textContent);
  const kept = new Map();
  const record = (n) => {
    const at = Math.floor(n / fields.piece);
    if (!kept.has(at)) {
      if (kept.size > 8) kept.clear();
      kept.set(at, JSON.parse(sources[at].textContent));
    }
    const piece = kept.get(at), row = piece.r[n % fields.piece], found = {};
    fields.names.forEach((name, i) => { found[name] = row[i]; });
    found.said = (k) => (k === null ? "" : piece.t[k]);
    return found;
  };

  const make = (tag, text, parent) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  };
  const short = (value, digits = 2) =>
    value === null ? "–" : Math.abs(value) < 1e6 ? value.toFixed(digits) : value.toExponential(2);
  const percent = (units, digits = units < fields.units / 10 ? 2 : 1) => {
    if (units === null) return "–";
    if (units > 0 && units < 1) return "under 0.01 %";
    const share = units / fields.units, text = (100 * share).toFixed(digits);
    const over = `over ${(100 - 10 ** -digits).toFixed(digits)}`;
    return (share < 1 && text === (100).toFixed(digits) ? over : text) + " %";
  };
  const spelt = (r) => r.said(r.text).replaceAll("\n", "↵") || "‹" + r.said(r.bytes) + "›";
  const bytes = (r) => r.bytes !== null ? r.said(r.bytes) : Array.from(
    new TextEncoder().encode(r.said(r.text)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const show = (n) => {
    const r = record(n), forced = r.said(r.forced), strategy = r.said(r.strategy);
    told.replaceChildren(`Token ${n + 1} of ${count}: `);
    make("b", spelt(r), told);
    const parts = [];
    if (r.entropy !== null) parts.push(`entropy ${short(r.entropy)} bits`);
    if (r.varentropy !== null) parts.push(`varentropy ${short(r.varentropy)} bits²`);
    if (r.surprisal !== null) parts.push(`surprisal ${short(r.surprisal)} bits`);
    if (r.p !== null) parts.push(`probability ${percent(r.p)}`);
    if (r.rank !== null) parts.push(`rank ${r.rank}`);
    if (strategy) parts.push(strategy);
    if (r.temperature !== null) parts.push(`temperature ${short(r.temperature)}`);
    if (forced) parts.push(`forced (${forced})`);
    if (r.valley) parts.push("valley");
    told.append(" " + (parts.join(", ") || "not measured"));

    const list = document.createElement("dl"), table = document.createElement("table");
    const say = (name, value) => { make("dt", name, list); make("dd", value, list); };
    const quadrant = r.said(r.quadrant);
    say("quadrant", quadrant ? `${fields.words[quadrant]} (${quadrant})` : "–");
    for (const name of ["attn_entropy", "attn_varentropy", "agreement", "interaction_strength"])
      say(name.replaceAll("_", " "), short(r[name], 3));
    say("top k", r.top_k === null ? "–" : String(r.top_k));
    say("top p", short(r.top_p, 3));
    say("min p", short(r.min_p, 3));
    say("milliseconds", short(r.ms, 1));
    say("id", String(r.id));
    say("bytes", bytes(r));
    say("record", String(r.index) + (r.nth ? `, token ${r.nth}` : ""));
    say("role", r.said(r.role));
    const ways = r.candidates;
    if (ways.length) {
      const head = make("tr", undefined, make("thead", undefined, table));
      for (const name of ["candidate", "raw", "drawn from"]) make("th", name, head).scope = "col";
      const body = make("tbody", undefined, table);
      for (let k = 0; k < ways.length; k += 3) {
        const row = make("tr", undefined, body), drawn = k === 3 * r.drawn && r.drawn !== null;
        if (drawn) row.className = "drawn";
        make("td", (drawn ? "▸ " : "  ") + r.said(ways[k]), row);
        make("td", percent(ways[k + 1], 2), row);
        make("td", percent(ways[k + 2], 2), row);
      }
    }
    more.replaceChildren(table, list);
    for (const plot of document.querySelectorAll(".plot"))
      plot.querySelector(".here").setAttribute("d", `M${n * plot.dataset.across} 0V100`);
    const dot = document.querySelector(".plane .here");
    if (dot) {
      const x = r.entropy === null ? 0 : Math.min(1, r.entropy / dot.dataset.right);
      const y = r.varentropy === null ? 0 : Math.min(1, r.varentropy / dot.dataset.upper);
      dot.setAttribute("cx", 400 * Math.sqrt(Math.max(0, x)));
      dot.setAttribute("cy", 300 * (1 - Math.sqrt(Math.max(0, y))));
      dot.setAttribute("r", r.entropy === null ? 0 : 6);
    }
  };

  let chosen = 0, marked = null;
  const choose = (n, scroll) => {
    chosen = Math.min(count - 1, Math.max(0, n));
    if (marked) { marked.classList.remove("on"); marked.removeAttribute("aria-current"); }
    marked = element(chosen);
    marked.classList.add("on");
    marked.setAttribute("aria-current", "true");
    slider.value = chosen + 1;
    slider.setAttribute("aria-valuetext", `${chosen + 1} of ${count}: ${spelt(record(chosen))}`);
    told.setAttribute("aria-live", "polite");
    show(chosen);
    if (scroll) marked.scrollIntoView({ block: scroll });
  };
  const hover = (n) => {
    told.setAttribute("aria-live", "off");
    show(n);
  };

  slider.addEventListener("input", () => choose(slider.value - 1, "nearest"));
  slider.addEventListener("keydown", (event) => {
    // A native slider's pages are a tenth of it; here they are some lines.
    const step = { PageUp: -50, PageDown: 50, ArrowUp: -10, ArrowDown: 10 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(chosen + step, "nearest");
  });
  const valleys = (way) => {
    for (let n = chosen + way; n >= 0 && n < count; n += way)
      if (element(n).classList.contains("v")) return choose(n, "center");
  };
  by("before").addEventListener("click", () => valleys(-1));
  by("after").addEventListener("click", () => valleys(1));

  const main = document.querySelector("main");
  main.addEventListener("mouseover", (event) => {
    const n = number(event.target);
    if (n >= 0) hover(n);
  });
  main.addEventListener("mouseleave", () => show(chosen));
  main.addEventListener("click", (event) => {
    const n = number(event.target);
    if (n < 0 || String(getSelection())) return;
    choose(n);
    slider.focus({ preventScroll: true });
  });
  for (const chart of document.querySelectorAll(".chart")) {
    const at = (event) => {
      const box = chart.getBoundingClientRect();
      return Math.min(count - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * count)));
    };
    chart.addEventListener("mousemove", (event) => hover(at(event)));
    chart.addEventListener("mouseleave", () => show(chosen));
    chart.addEventListener("click", (event) => {
      choose(at(event), "center");
      slider.focus({ preventScroll: true });
    });
  }
  choose(0);
})();
