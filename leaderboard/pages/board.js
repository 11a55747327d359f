"use strict";
// Everything that was submitted reaches the page through textContent, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const body = document.querySelector("#entries tbody");
const heads = [...document.querySelectorAll("#entries th")];
const PAGE = 100;   // rows shown at once: a table of thousands is slow to lay out, and nobody reads it
const AGENT = 1;
const LENGTH = data.columns.findIndex((column) => column.name === "context");
const TEXTS = data.columns.flatMap((column, i) => column.numeric || column.name === "submitted" ? [] : [i]);
const words = data.rows.map((row) => TEXTS.map((i) => row.cells[i]).join("\n").toLowerCase());
let order = data.rows.map((_, i) => i);
let found = order;
let shown = PAGE;

function cell(row, i) {
  const made = document.createElement("td");
  made.dataset.name = data.columns[i].name;
  if (data.columns[i].numeric) made.className = "n";
  if (i === AGENT) {
    const link = document.createElement("a");
    link.href = `../entry/${Number(row.id)}.html`;
    link.textContent = row.cells[i];
    made.append(link);
  } else made.textContent = row.cells[i];
  return made;
}

function line(row) {
  const made = document.createElement("tr");
  made.className = row.level + (row.group % 2 === 0 ? " even" : "");
  made.append(...row.cells.map((_, i) => cell(row, i)));
  return made;
}

function show() {
  const part = found.slice(0, shown);
  body.replaceChildren(...part.map((i) => line(data.rows[i])));
  if (!part.length) {
    const empty = document.createElement("td");
    empty.colSpan = data.columns.length;
    empty.textContent = data.rows.length ? "No entry is like that." : "No entries yet.";
    body.append(document.createElement("tr"));
    body.firstChild.append(empty);
  }
  at("more").hidden = found.length <= shown;
  const all = data.rows.length;
  at("count").textContent = `${found.length} of ${all} entries` + (found.length > shown ? `, first ${shown} shown` : "");
}

function filter() {
  const wanted = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const level = at("level").value;
  const longest = at("longest").value === "" ? Infinity : Number(at("longest").value);
  found = order.filter((i) => (!level || data.rows[i].level === level) && data.rows[i].keys[LENGTH] <= longest
    && wanted.every((word) => words[i].includes(word)));
  shown = PAGE;
  show();
}

// What has no value stands last in either direction.
function compare(a, b, way) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return (a < b ? -1 : 1) * way;
}

function sort(column) {
  const name = data.columns[column].name;
  const first = data.columns[column].numeric && name !== "rank" ? "descending" : "ascending";
  const was = heads[column].getAttribute("aria-sort");
  const now = !was ? first : was === "ascending" ? "descending" : "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", now);
  const way = now === "ascending" ? 1 : -1;
  const keys = data.rows.map((row) => row.keys[column]);
  order = data.rows.map((_, i) => i).sort((a, b) => compare(keys[a], keys[b], way) || a - b);
  filter();
}

heads.forEach((head, i) => head.firstElementChild.addEventListener("click", () => sort(i)));
for (const id of ["filter", "level", "longest"]) at(id).addEventListener("input", filter);
at("more").addEventListener("click", () => { shown += PAGE; show(); });
at("controls").hidden = false;
filter();
