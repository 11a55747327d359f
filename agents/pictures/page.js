"use strict";
// Every string from the run reaches the page through textContent, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
// The tree is there twice, for wide pages and for phones; one of them is shown.
const trees = [...document.querySelectorAll("#tree svg")].map((svg) => ({ svg, circles: [...svg.querySelectorAll(".lse-node")] }));
const kids = data.nodes.map(() => []);
data.nodes.forEach((node, i) => { if (node.parent >= 0) kids[node.parent].push(i); });
const KEEP = 3;            // unchanged lines shown around a change
const MAX_CELLS = 4000000; // beyond it a diff is shown as one replaced block
let chosen = -1;
let mode = "diff";

function element(tag, className, content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

// Longest common subsequence of two lists of line numbers, as [sign, line] rows.
function diff(a, b) {
  let start = 0, endA = a.length, endB = b.length;
  while (start < endA && start < endB && a[start] === b[start]) start++;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) { endA--; endB--; }
  const n = endA - start, m = endB - start, wide = m + 1, rows = [];
  for (let i = 0; i < start; i++) rows.push([" ", a[i]]);
  let i = 0, j = 0;
  if (n * m > 0 && n * m <= MAX_CELLS) {
    const best = new Uint16Array((n + 1) * wide);
    for (let p = n - 1; p >= 0; p--) {
      for (let q = m - 1; q >= 0; q--) {
        best[p * wide + q] = a[start + p] === b[start + q]
          ? best[(p + 1) * wide + q + 1] + 1
          : Math.max(best[(p + 1) * wide + q], best[p * wide + q + 1]);
      }
    }
    while (i < n && j < m) {
      if (a[start + i] === b[start + j]) { rows.push([" ", a[start + i]]); i++; j++; }
      else if (best[(i + 1) * wide + j] >= best[i * wide + j + 1]) { rows.push(["-", a[start + i]]); i++; }
      else { rows.push(["+", b[start + j]]); j++; }
    }
  }
  for (; i < n; i++) rows.push(["-", a[start + i]]);
  for (; j < m; j++) rows.push(["+", b[start + j]]);
  for (let k = endA; k < a.length; k++) rows.push([" ", a[k]]);
  return rows;
}

function line(sign, content) {
  const row = element("div", "row" + (sign === "+" ? " add" : sign === "-" ? " del" : sign === "…" ? " gap" : ""));
  row.append(element("b", "", sign === "-" ? "−" : sign), element("span", "", content));
  return row;
}

// Rows for the reader: long unchanged runs become one line that says how many.
function folded(rows) {
  const near = new Uint8Array(rows.length);
  rows.forEach(([sign], i) => {
    if (sign !== " ") near.fill(1, Math.max(0, i - KEEP), i + KEEP + 1);
  });
  const made = [];
  for (let i = 0; i < rows.length; i++) {
    let end = i;
    while (end < rows.length && !near[end]) end++;
    if (end - i > 1) {
      made.push(line("…", `${end - i} unchanged lines`));
      i = end - 1;
    } else made.push(line(rows[i][0], data.lines[rows[i][1]]));
  }
  return made;
}

function showText() {
  const node = data.nodes[chosen];
  const compare = mode === "diff" && node.parent >= 0;
  const rows = compare ? diff(data.nodes[node.parent].lines, node.lines) : node.lines.map((l) => [" ", l]);
  at("text").replaceChildren(...(compare ? folded(rows) : rows.map(([, l]) => line(" ", data.lines[l]))));
  at("text").scrollTop = 0;
  const count = (sign) => rows.filter((row) => row[0] === sign).length;
  at("count").textContent = compare ? `+${count("+")} −${count("-")} lines` : `${node.lines.length} lines`;
  at("show-diff").disabled = node.parent < 0;
  at("show-diff").setAttribute("aria-pressed", String(compare));
  at("show-full").setAttribute("aria-pressed", String(!compare));
}

function mark(circle, on) {
  circle.classList.toggle("chosen", on);
  circle.setAttribute("tabindex", on ? "0" : "-1");
  circle.setAttribute("aria-pressed", String(on));
}

function choose(i, focus) {
  if (!(i >= 0 && i < data.nodes.length)) return;
  for (const { circles } of trees) {
    if (chosen >= 0) mark(circles[chosen], false);
    mark(circles[i], true);
    if (focus) circles[i].focus(); // what is not shown takes no focus
  }
  chosen = i;
  const node = data.nodes[i];
  at("chosen").textContent = node.name;
  at("facts").replaceChildren(...data.facts.map((name, k) => {
    const pair = element("div");
    pair.append(element("dt", "", name), element("dd", "", node.facts[k]));
    return pair;
  }));
  document.querySelector("[data-go=parent]").disabled = node.parent < 0;
  showText();
}

// The nearest circle within reach of a click, so that small circles are no test of aim.
function nearest({ svg, circles }, event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  let found = -1, least = 15;
  circles.forEach((circle, i) => {
    const away = Math.hypot(circle.cx.baseVal.value - point.x, circle.cy.baseVal.value - point.y);
    if (away < least) { found = i; least = away; }
  });
  return found;
}

function neighbour(key) {
  const parent = data.nodes[chosen].parent;
  const row = parent >= 0 ? kids[parent] : data.nodes.map((_, i) => i).filter((i) => data.nodes[i].parent < 0);
  const turned = data.sideways ? { ArrowLeft: "up", ArrowRight: "down", ArrowUp: "before", ArrowDown: "after" }
    : { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "before", ArrowRight: "after" };
  return {
    up: parent, down: kids[chosen][0] ?? -1,
    before: row[row.indexOf(chosen) - 1] ?? -1, after: row[row.indexOf(chosen) + 1] ?? -1,
  }[turned[key]];
}

if (data.nodes.length) {
  trees.forEach((tree) => {
    tree.svg.setAttribute("role", "group");
    tree.circles.forEach((circle) => {
      circle.setAttribute("role", "button");
      circle.setAttribute("aria-label", circle.textContent);
      mark(circle, false);
    });
    tree.svg.addEventListener("click", (event) => choose(nearest(tree, event), true));
    tree.svg.addEventListener("keydown", (event) => {
      const next = { Home: 0, End: data.best }[event.key] ?? neighbour(event.key);
      if (next === undefined) return;
      event.preventDefault();
      choose(next, true);
    });
  });
  document.querySelectorAll("[data-go]").forEach((button) => button.addEventListener("click", () => {
    const places = { seed: 0, parent: data.nodes[chosen].parent, telling: data.telling, best: data.best };
    choose(places[button.dataset.go], false);
  }));
  for (const name of ["diff", "full"]) {
    at("show-" + name).addEventListener("click", () => { mode = name; showText(); });
  }
  choose(data.telling, false);
}
