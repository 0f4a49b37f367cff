"use strict";
const $ = (query, root = document) => root.querySelector(query);
const $$ = (query, root = document) => [...root.querySelectorAll(query)];

// Theme: the system's, until somebody chooses.
const theme = $("#theme");
const isDark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
function showTheme() { theme.textContent = isDark() ? "Light" : "Dark"; }
theme.hidden = false;
theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; showTheme(); });
showTheme();

// A link into something closed opens it.
function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let it = target; it; it = it.parentElement) if (it.tagName === "DETAILS") it.open = true;
  target.scrollIntoView();
  const heading = $("summary, h1, h2", target) || target;
  if (!heading.matches("a, button, summary, input")) heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
addEventListener("hashchange", reveal);
document.addEventListener("click", event => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.getAttribute("href") === location.hash) reveal();
});

// Diagrams: one at a time, as tabs.
const tabs = $$("[role=tab]");
function choose(tab) {
  for (const it of tabs) {
    const chosen = it === tab;
    it.setAttribute("aria-selected", chosen);
    it.tabIndex = chosen ? 0 : -1;
    document.getElementById(it.getAttribute("aria-controls")).hidden = !chosen;
  }
}
tabs.forEach((tab, place) => {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(place + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
});
if (tabs.length) choose(tabs[0]);
const size = $("#size");
size.hidden = false;
size.addEventListener("click", () => {
  const pressed = size.getAttribute("aria-pressed") !== "true";
  size.setAttribute("aria-pressed", pressed);
  $$(".drawing").forEach(it => it.classList.toggle("fit", !pressed));
});

// Search: names first, then what is said about them.
const input = $("#search"), list = $("#results"), count = $("#count");
let entries = null;
function load() {
  entries ??= $$("[data-kind]").map(it => ({
    id: it.id, kind: it.dataset.kind, name: it.dataset.name, about: it.dataset.about || "",
    low: it.dataset.name.toLowerCase(), text: `${it.dataset.name} ${it.dataset.about || ""}`.toLowerCase(),
  }));
}
function rank(entry, words) {
  if (!words.every(word => entry.text.includes(word))) return 0;
  const all = words.join(" "), last = entry.low.split(".").pop();
  return entry.low === all || last === all ? 4 : entry.low.startsWith(all) || last.startsWith(all) ? 3 : entry.low.includes(all) ? 2 : 1;
}
function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  list.hidden = !words.length;
  count.textContent = "";
  if (!words.length) return list.replaceChildren();
  load();
  const found = entries.map(entry => [rank(entry, words), entry]).filter(([score]) => score).sort((a, b) => b[0] - a[0]);
  list.replaceChildren(...found.slice(0, 40).map(([, entry]) => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = "#" + encodeURIComponent(entry.id);
    const [kind, name, about] = ["span", "span", "small"].map(tag => document.createElement(tag));
    kind.className = "kind";
    kind.textContent = entry.kind;
    name.className = "mono";
    name.textContent = entry.name;
    about.textContent = entry.about;
    link.append(kind, name, about);
    item.append(link);
    return item;
  }));
  if (!found.length) list.innerHTML = "<li class=none>Nothing of that name.</li>";
  count.textContent = `${found.length} found`;
}
function close() { list.hidden = true; }
input.addEventListener("input", search);
input.addEventListener("focus", search);
list.addEventListener("click", event => { if (event.target.closest("a")) close(); });
document.addEventListener("click", event => { if (!event.target.closest(".search")) close(); });
$(".search").addEventListener("keydown", event => {
  const links = $$("a", list), place = links.indexOf(document.activeElement);
  if (event.key === "Escape") { close(); input.focus(); close(); }
  else if (event.key === "ArrowDown") (links[place + 1] || links[0])?.focus();
  else if (event.key === "ArrowUp") (place > 0 ? links[place - 1] : input).focus();
  else if (event.key === "Enter" && event.target === input) links[0]?.click();
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", event => {
  if (event.key === "/" && !event.target.closest("input")) { event.preventDefault(); input.focus(); input.select(); }
});

// Where one is, in the list at the side.
const links = new Map($$("nav.side a").map(link => [link.getAttribute("href").slice(1), link]));
const watch = new IntersectionObserver(seen => {
  for (const { target, isIntersecting } of seen) {
    if (!isIntersecting) continue;
    links.forEach(link => link.removeAttribute("aria-current"));
    links.get(target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-20% 0px -70% 0px" });
$$("main > section").forEach(section => watch.observe(section));
reveal();
