(() => {
  "use strict";
  const receipt = document.getElementById("receipt");
  const said = document.getElementById("said");
  const copied = async () => {
    try {
      await navigator.clipboard.writeText(receipt.textContent.trim());
      return true;
    } catch {
      getSelection().selectAllChildren(receipt);
      return document.execCommand("copy");
    }
  };
  const does = {
    print: () => print(),
    copy: async () => { said.textContent = (await copied()) ? said.dataset.done : said.dataset.failed; },
  };
  for (const button of document.querySelectorAll("[data-does]")) {
    button.hidden = false;
    button.addEventListener("click", does[button.dataset.does]);
  }
})();
