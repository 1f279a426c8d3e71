// Everything works without this file; with it, times are in the viewer's zone and what waits says so.
"use strict";

(() => {
  const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

  function localise(root) {
    for (const time of root.querySelectorAll("time[data-show]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) {
        time.textContent = (time.dataset.show === "day" ? DAY : MOMENT).format(moment);
        time.title = FULL.format(moment);
        time.removeAttribute("data-show");
      }
    }
  }

  function say(words) {
    const place = document.getElementById("said");
    if (place) {
      const note = document.createElement("div");
      const text = document.createElement("p");
      note.className = "note bad";
      text.textContent = words;
      note.append(text);
      place.replaceChildren(note);
    }
  }

  function settle(form) {
    form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("button[aria-disabled]")) {
      button.removeAttribute("aria-disabled");
      button.querySelector(".busy")?.remove();
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.hasAttribute("aria-busy")) {
      event.preventDefault();
      return;
    }
    // What is answered with a file leaves the page as it is.
    if (form.method !== "post" || form.dataset.answer === "file") return;
    form.setAttribute("aria-busy", "true");
    for (const button of form.querySelectorAll("button:not([type=button])")) {
      const busy = document.createElement("span");
      busy.className = "busy";
      busy.setAttribute("aria-hidden", "true");
      button.setAttribute("aria-disabled", "true");
      button.append(busy);
    }
  });

  // A page that the browser brings back from its memory has nothing under way.
  window.addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(settle));

  document.addEventListener("htmx:load", (event) => localise(event.detail.elt));
  document.addEventListener("htmx:sendError", () => say("The server cannot be reached. Please try again."));
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401) location.reload();
    else say("That did not work. Please reload the page and try again.");
  });

  localise(document);
  const nav = document.querySelector(".nav");
  const current = nav?.querySelector("[aria-current]");
  if (nav && current && nav.scrollWidth > nav.clientWidth) {
    nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
  }
})();
