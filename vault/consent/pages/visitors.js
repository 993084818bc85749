/* Asks the visitors of a website before anything is measured (article 6.5).
   Nothing is kept in the browser before somebody agrees; a browser that sends Global Privacy Control is never asked and never measured;
   taking it back is one press. Include:  <script src="https://vault.example.org/CODE/visitors.js" data-purpose="visitor_analytics"></script>
   Then listen for "amanah:agreed" (detail.visitor is the id under which to measure) and "amanah:ended" on document. */
(function () {
  "use strict";
  const own = document.currentScript;
  const address = new URL(own.src);
  const code = address.pathname.split("/")[1];
  const purpose = own.dataset.purpose || "visitor_analytics";
  const place = "amanah:" + code + ":" + purpose;
  const english = (document.documentElement.lang || "ar").toLowerCase().startsWith("en");
  const words = english
    ? { yes: "I agree", no: "I do not agree", text: "The whole text", region: "Consent to measuring this visit", back: "Withdraw my consent to measuring visits", privacy: "Privacy policy" }
    : { yes: "أوافق", no: "لا أوافق", text: "النص كاملًا", region: "الموافقة على قياس الزيارة", back: "أسحب موافقتي على قياس الزيارات", privacy: "سياسة الخصوصية" };
  const state = { visitor: null };

  function kept() {
    try {
      const found = JSON.parse(localStorage.getItem(place));
      return found && typeof found.visitor === "string" ? found : null;
    } catch {
      return null;
    }
  }

  function keep(value) {
    try {
      if (value) localStorage.setItem(place, JSON.stringify(value));
      else localStorage.removeItem(place);
    } catch {
      /* A browser that keeps nothing asks again the next time. */
    }
  }

  async function call(path, body) {
    const more = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const target = address.origin + "/v1/public/" + code + path;
    const answer = await fetch(target, { ...more, credentials: "omit", referrerPolicy: "no-referrer", keepalive: Boolean(body) });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  function tell(name, detail) {
    document.dispatchEvent(new CustomEvent("amanah:" + name, { detail }));
  }

  function fresh() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  function made(name, text, look) {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    Object.assign(element.style, look || {});
    return element;
  }

  function button(text, act) {
    const pressed = made("button", text, {
      font: "inherit", fontWeight: "600", color: "#fff", background: "#0b5a4c", border: "0", borderRadius: "6px",
      padding: "10px 20px", minHeight: "44px", cursor: "pointer",
    });
    pressed.type = "button";
    pressed.addEventListener("click", act);
    return pressed;
  }

  function box() {
    document.getElementById("amanah-visitors")?.remove();
    const region = made("section", "", {
      position: "fixed", insetInline: "0", bottom: "0", zIndex: "2147483647", background: "#fff", color: "#1b2430",
      borderTop: "3px solid #0b5a4c", padding: "16px 20px", font: "16px/1.7 system-ui, sans-serif", textAlign: "start",
      maxHeight: "70vh", overflow: "auto", boxSizing: "border-box",
    });
    region.id = "amanah-visitors";
    region.lang = english ? "en" : "ar";
    region.dir = english ? "ltr" : "rtl";
    region.setAttribute("aria-label", words.region);
    return region;
  }

  function agreed(visitor) {
    state.visitor = visitor;
    const region = box();
    Object.assign(region.style, { insetInline: "auto 0", border: "0", padding: "8px", background: "transparent" });
    region.append(button(words.back, withdraw));
    document.body.append(region);
    tell("agreed", { visitor });
  }

  async function agree(notice, language) {
    const visitor = kept()?.visitor ?? fresh(); /* Asked anew about other words she stays who she was. */
    const shown = { id: notice.id, version: notice.version, language, sha256: notice.texts[language].sha256 };
    document.getElementById("amanah-visitors")?.remove();
    try {
      const word = await call("/visitor-consents", { visitor, purpose, notice: shown, act: "button", gpc: false });
      if (word.state !== "given") return;
    } catch {
      return; /* What could not be recorded is no consent. */
    }
    keep({ visitor, notice: notice.id + ":" + notice.version });
    agreed(visitor);
  }

  function refuse() {
    document.getElementById("amanah-visitors")?.remove();
    if (kept()) withdraw(); /* A no to new words ends the yes to the old. */
    try {
      sessionStorage.setItem(place, "no"); /* Not asked again in this tab; it names nobody and ends with the tab. */
    } catch {
      /* Then she is asked on the next page. */
    }
  }

  function refused() {
    try {
      return sessionStorage.getItem(place) === "no";
    } catch {
      return false;
    }
  }

  async function withdraw() {
    const found = kept();
    const visitor = found ? found.visitor : state.visitor;
    if (!visitor) return;
    state.visitor = null;
    tell("ended", {});
    try {
      await call("/visitor-consents/withdrawal", { visitor, purpose });
    } catch {
      keep({ visitor, ends: true }); /* Measuring has stopped; the vault is told the next time. */
      return;
    }
    keep(null);
    document.getElementById("amanah-visitors")?.remove();
  }

  function ask(notice) {
    const language = english && notice.texts.en ? "en" : "ar";
    const region = box();
    const name = notice.name[language];
    region.append(made("p", (name ? name + ": " : "") + (notice.title[language] || purpose), { margin: "0 0 8px", fontWeight: "600" }));
    const whole = made("details", "", { margin: "0 0 12px" });
    const text = made("div", notice.texts[language].text, { whiteSpace: "pre-wrap", maxHeight: "30vh", overflow: "auto" });
    text.lang = language;
    text.tabIndex = 0;
    whole.append(made("summary", words.text, { cursor: "pointer" }), text);
    const privacy = made("a", words.privacy, { color: "#0b5a4c" });
    privacy.href = address.origin + "/" + code + "/privacy";
    const choice = made("div", "", { display: "flex", flexWrap: "wrap", gap: "12px", alignItems: "center", margin: "12px 0 0" });
    choice.append(
      button(words.yes, () => agree(notice, language)),
      button(words.no, refuse),
      privacy,
    );
    region.append(whole, choice);
    document.body.prepend(region); /* First for whoever goes by keyboard. */
  }

  async function begin() {
    const found = kept();
    if (navigator.globalPrivacyControl || (found && found.ends)) {
      if (found) await withdraw();
      return;
    }
    if (!found && refused()) return;
    try {
      const notice = await call("/visitor-notice?purpose=" + encodeURIComponent(purpose));
      if (found && found.notice === notice.id + ":" + notice.version) agreed(found.visitor);
      else ask(notice);
    } catch {
      /* Without the vault nobody can agree, and nothing is measured. */
    }
  }

  window.amanahVisitors = Object.freeze({ get visitor() { return state.visitor; }, withdraw });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
