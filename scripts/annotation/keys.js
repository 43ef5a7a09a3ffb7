// Keys press the page's own buttons and links, and a vote is sent without leaving the page, so that it survives a server
// that does not answer. Without this file the page works as a plain form.
"use strict";

const form = document.getElementById("vote");
const notice = document.getElementById("notice");
const lines = [...document.querySelectorAll("fieldset.line")];
const unchosen = () => lines.findIndex((line) => !line.querySelector("input:checked"));
let current = Math.max(0, unchosen());

function goTo(index) {
  if (!lines.length) return;
  current = Math.min(Math.max(index, 0), lines.length - 1);
  (lines[current].querySelector("input:checked") || lines[current].querySelector("input")).focus();
  lines[current].scrollIntoView({ block: "nearest" });
}

lines.forEach((line, index) => line.addEventListener("focusin", () => { current = index; }));
if (lines.length) goTo(current);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.tagName === "TEXTAREA") return;
  if (/^[0-9]$/.test(event.key) && lines.length) {
    const input = lines[current].querySelector(`input[value="${event.key}"]`);
    if (!input) return;
    input.checked = true;
    const next = unchosen();
    goTo(next >= 0 ? next : current);
    event.preventDefault();
    return;
  }
  if (lines.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    goTo(current + (event.key === "ArrowDown" ? 1 : -1));
    event.preventDefault();
    return;
  }
  if (event.key === "Enter" && (event.target.tagName === "BUTTON" || event.target.tagName === "A")) return;
  if (event.repeat) return; // a key held down is one vote, not one for each of the next questions
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (target) {
    event.preventDefault();
    target.click();
  }
});

let sending = false;
if (form) form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  sending = true;
  const body = new URLSearchParams(new FormData(form));
  if (event.submitter) body.set("choice", event.submitter.value);
  try {
    const answer = await fetch(form.action, { method: "POST", body, credentials: "omit" });
    if (answer.status >= 500) throw new Error(answer.statusText);
    if (answer.redirected) { location.replace(answer.url); return; }
    notice.textContent = answer.headers.get("X-Notice") ? decodeURIComponent(answer.headers.get("X-Notice")) : notice.dataset.failed;
  } catch (error) {
    notice.textContent = notice.dataset.failed;
  }
  notice.hidden = false;
  notice.scrollIntoView({ block: "nearest" });
  sending = false;
});
