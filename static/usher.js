// What pages do better with a script; each of them works without.
"use strict";

// "/" and Ctrl K go to the box that finds.
document.addEventListener("keydown", (event) => {
  const at = event.target;
  const types = at instanceof HTMLElement && (at.isContentEditable || at.matches("input, textarea, select"));
  const isSlash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !types;
  const isK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  const box = document.getElementById("find");
  if (box && (isSlash || isK)) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

// Buttons that copy are hidden until they can. They are where the browser allows it: over HTTPS, and on localhost.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const said = button.textContent;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      setTimeout(() => { button.textContent = said; }, 2000);
    });
  }
}
