// Asks for new events every few seconds while somebody looks, and for new findings now and then.
"use strict";
{
  const EVENTS_EVERY = 3000;
  const FINDINGS_EVERY = 30000;
  const SLOWEST = 60000;
  const ROWS = 100;

  const start = (body) => {
    const status = document.getElementById("reco-live-status");
    const button = document.getElementById("reco-pause");
    const findings = document.getElementById("reco-findings");
    const none = document.getElementById("reco-no-arrivals");
    let { after } = body.dataset;
    let paused = false;
    let signedOut = false;
    let asking = false;
    let wait = EVENTS_EVERY;
    let timer = null;
    let findingsAt = Date.now();

    const say = (key) => {
      const text = status.dataset[key];
      if (status.textContent !== text) {
        status.textContent = text; // only changes are read out
      }
    };

    const ask = async (address) => {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (response.redirected || response.status === 403) {
        signedOut = true;
      }
      if (signedOut || !response.ok) {
        throw new Error(String(response.status));
      }
      return response.json();
    };

    const show = (html) => {
      const template = document.createElement("template");
      template.innerHTML = html;
      const rows = [...template.content.querySelectorAll("tr")].filter(
        (row) => !body.querySelector(`tr[data-pk="${row.dataset.pk}"]`),
      );
      rows.forEach((row) => row.classList.add("reco-new"));
      body.prepend(...rows);
      while (body.rows.length > ROWS) {
        body.lastElementChild.remove();
      }
      none.hidden = body.rows.length > 0;
      return rows.length;
    };

    const look = async () => {
      const news = await ask(`${body.dataset.newsUrl}&after=${after}`);
      ({ after } = news);
      show(news.rows);
      if (Date.now() - findingsAt >= FINDINGS_EVERY) {
        findingsAt = Date.now();
        const answer = await ask(body.dataset.findingsUrl);
        // not under the eyes of somebody who is reading or has the focus there
        if (!findings.contains(document.activeElement)) {
          findings.innerHTML = answer.findings;
        }
      }
    };

    const next = () => {
      clearTimeout(timer);
      if (!paused && !signedOut && !document.hidden) {
        timer = setTimeout(turn, wait);
      }
    };

    const turn = async () => {
      if (asking) {
        return;
      }
      asking = true;
      try {
        await look();
        wait = EVENTS_EVERY;
        say(paused ? "paused" : "live");
      } catch {
        wait = Math.min(wait * 2, SLOWEST);
        say(signedOut ? "signedOut" : "failed");
      } finally {
        asking = false;
        next();
      }
    };

    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (!document.hidden && !paused && !signedOut) {
        turn();
      }
    });
    button.hidden = false;
    button.addEventListener("click", () => {
      paused = !paused;
      button.textContent = paused ? button.dataset.resume : button.dataset.pause;
      say(paused ? "paused" : "live");
      clearTimeout(timer);
      if (!paused) {
        turn();
      }
    });
    say("live");
    next();
  };

  document.addEventListener("DOMContentLoaded", () => {
    const body = document.getElementById("reco-arrivals");
    if (body) {
      start(body);
    }
  });
}
