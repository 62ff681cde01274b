// Folded parts: a link to something inside one opens it, and one button opens them all.
"use strict";

(() => {
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target?.querySelector(":scope > details")?.setAttribute("open", "");
    target?.scrollIntoView();
  };
  const button = document.getElementById("unfold");
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = button.textContent === "Unfold all";
    for (const part of document.querySelectorAll("details")) part.open = open;
    button.textContent = open ? "Fold all" : "Unfold all";
  });
  window.addEventListener("hashchange", reveal);
  reveal();
})();
