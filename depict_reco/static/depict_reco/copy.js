// The copy button beside a secret, and a reload of its page that does not send the form again.
"use strict";
{
  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };

  const copy = async (element) => {
    try {
      await navigator.clipboard.writeText(element.textContent.trim());
      return true;
    } catch {
      select(element); // no permission, or a page without https: the old way
      return document.execCommand("copy");
    }
  };

  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const copied = await copy(document.getElementById(button.dataset.copy));
      const status = document.getElementById(button.dataset.status);
      status.textContent = copied ? button.dataset.done : button.dataset.failed;
    });
  });

  const page = document.querySelector("[data-replace-url]");
  if (page) {
    window.history.replaceState(null, "", page.dataset.replaceUrl);
  }
}
