// The little that the desk's pages do in the browser. Every page works without it.
"use strict";

const TAKES = {
  MARKET: [],
  LIMIT: ["price"],
  STOP: ["stop_px"],
  STOP_LIMIT: ["stop_px", "price"],
};

// Show the price fields that the order's type takes; a hidden one is not sent.
function fitPriceFields(form) {
  const taken = TAKES[form.elements.ord_type.value] || [];
  for (const name of ["stop_px", "price"]) {
    const shown = taken.includes(name);
    form.querySelector(`[data-field="${name}"]`).hidden = !shown;
    form.elements[name].disabled = !shown;
  }
}

// A form that is being sent says so and cannot be sent twice.
function setUpBusyForm(form) {
  const button = form.querySelector("button[type=submit]");
  const waiting = form.querySelector("[data-waiting]");
  const setBusy = (busy) => {
    button.disabled = busy;
    waiting.hidden = !busy;
  };
  form.addEventListener("submit", () => setBusy(true));
  // A page that comes back from the browser's cache must not stay busy.
  window.addEventListener("pageshow", () => setBusy(false));
  const wrong = form.querySelector(".field.wrong input:not([disabled]), .field.wrong select");
  if (wrong) wrong.focus();
}

function setUpOrderForm(form) {
  fitPriceFields(form);
  form.elements.ord_type.addEventListener("change", () => fitPriceFields(form));
  window.addEventListener("pageshow", () => fitPriceFields(form));
  setUpBusyForm(form);
}

function setUpCopying(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.firstChild;
  const said = label.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      label.textContent = "Copied";
    } catch {
      // Without the right to the clipboard: select it, so that the keyboard can copy.
      if (source.select) source.select();
      else window.getSelection().selectAllChildren(source);
      label.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { label.textContent = said; }, 2000);
  });
}

// A part that refreshes itself keeps open what the reader has opened.
let opened = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  opened = [...event.target.querySelectorAll("details[open][id]")].map((details) => details.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-order-form]").forEach(setUpOrderForm);
  document.querySelectorAll("[data-busy-form]").forEach(setUpBusyForm);
  document.querySelectorAll("[data-copy]").forEach(setUpCopying);
});
