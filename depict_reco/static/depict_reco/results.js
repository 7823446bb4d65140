// Draws the charts of the results in the colours of the admin's theme.
"use strict";
{
  const HEIGHT = 200;
  const DAY = 86400;

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888";

  const writing = (unit) => {
    const digits = new Intl.NumberFormat(document.documentElement.lang || undefined, {
      maximumSignificantDigits: 3,
      notation: unit === "%" ? "standard" : "compact",
    });
    const tail = unit === "%" ? " %" : "";
    return (value) => (value == null ? "–" : digits.format(value) + tail);
  };

  const line = (series, chart, paint) => {
    const write = writing(chart.unit);
    return {
      label: series.label,
      stroke: series.before ? paint.quiet : paint.now,
      width: series.before ? 1.5 : 2,
      dash: series.before ? [5, 4] : undefined,
      points: { show: series.values.length < 40 && !series.before, size: 5 },
      spanGaps: false,
      value: (_plot, value) => write(value),
    };
  };

  const options = (chart, width) => {
    const paint = {
      now: colour("--reco-line"),
      band: colour("--reco-band"),
      quiet: colour("--body-quiet-color"),
      hair: colour("--hairline-color"),
    };
    const write = writing(chart.unit);
    const [now] = chart.series;
    const edge = { stroke: "transparent", width: 0, points: { show: false } };
    const lines = chart.series.map((one) => line(one, chart, paint));
    const plot = {
      width,
      height: HEIGHT,
      // days begin at midnight in UTC here, wherever the reader is
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false },
      scales: {
        x: { time: chart.time },
        y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] },
      },
      series: [
        chart.time
          ? { label: chart.x_label, value: (_plot, at) => (at == null ? "–" : new Date(at * 1000).toISOString().slice(0, 10)) }
          : { label: chart.x_label, value: (_plot, at) => (at == null ? "–" : String(at)) },
        ...lines,
      ],
      axes: [
        {
          stroke: paint.quiet,
          grid: { show: false },
          ticks: { stroke: paint.hair },
          incrs: chart.time ? [1, 2, 7, 14, 28, 91, 182, 365].map((days) => days * DAY) : [1, 2, 5, 10, 20, 50],
          values: chart.time ? undefined : (_plot, ticks) => ticks.map(String),
        },
        {
          stroke: paint.quiet,
          grid: { stroke: paint.hair, width: 1 },
          ticks: { show: false },
          size: 60,
          values: (_plot, ticks) => ticks.map(write),
        },
      ],
      legend: { live: true },
    };
    if (now.low) {
      const last = plot.series.length;
      plot.series.push({ ...edge, label: "" , class: "reco-edge" }, { ...edge, label: "", class: "reco-edge" });
      plot.bands = [{ series: [last + 1, last], fill: paint.band }];
    }
    return plot;
  };

  const columns = (chart) => {
    const [now] = chart.series;
    const found = [chart.x, ...chart.series.map((one) => one.values)];
    return now.low ? [...found, now.low, now.high] : found;
  };

  const start = (charts) => {
    let plots = [];
    const draw = () => {
      plots.forEach((plot) => plot.destroy());
      plots = charts
        .map((chart) => ({ chart, place: document.getElementById(chart.id) }))
        .filter(({ place, chart }) => place && chart.x.length)
        .map(({ chart, place }) => {
          place.setAttribute("role", "img");
          place.setAttribute("aria-label", chart.title);
          return new uPlot(options(chart, place.clientWidth), columns(chart), place);
        });
    };
    draw();

    const fit = () => {
      plots.forEach((plot) => {
        const width = plot.root.parentElement.clientWidth;
        if (width && width !== plot.width) {
          plot.setSize({ width, height: HEIGHT });
        }
      });
    };
    new ResizeObserver(() => requestAnimationFrame(fit)).observe(document.querySelector(".reco-charts"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const data = document.getElementById("reco-charts-data");
    if (data) {
      start(JSON.parse(data.textContent));
    }
    const form = document.getElementById("reco-results-form");
    if (form) {
      form.querySelectorAll("input[type=date]").forEach((box) => {
        box.addEventListener("change", () => {
          form.elements.days.value = "own";
        });
      });
    }
  });
}
