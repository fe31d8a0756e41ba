// A copy button for each command. Everything else works without scripts.
"use strict";
for (const block of document.querySelectorAll("pre[data-copy]")) {
  if (!navigator.clipboard) break; // plain HTTP beyond this host
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy quiet";
  button.textContent = block.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = block.dataset.copied;
    setTimeout(() => { button.textContent = block.dataset.copy; }, 2000);
  });
  block.after(button);
}
