// The explorer: controls, the table of numbers and the curve. Everything it computes is in formulas.js.
"use strict";

(() => {
  const CONTROLS = {
    n: { low: 1, high: 60, log: false, whole: true },
    R: { low: 1, high: 1e9, log: true, whole: true },
    eps: { low: 1e-8, high: 1, log: true, whole: false },
    alpha: { low: -1, high: 1, log: false, whole: false },
    delta: { low: 1e-30, high: 0.9, log: true, whole: false },
    bits: { low: 1, high: 200, log: false, whole: false },
  };
  const MAX_WIDTH = 1e6;
  const MAX_WIDTHS = 20;
  const byId = (id) => document.getElementById(id);
  const state = {};

  // -- numbers for people ---------------------------------------------------------------------------------------

  const tidy = (text) => text.replace(/e\+?/, "e");
  const short = (x, digits = 4) => (x === 0 ? "0" : Math.abs(x) < 1e-4 || Math.abs(x) >= 1e6
    ? tidy(x.toExponential(digits - 1)) : String(Number(x.toPrecision(digits))));

  function above(x) { // short(), never below x: bounds are rounded to the safe side
    const text = short(x);
    if (Number(text) >= x) return text;
    const unit = 10 ** (Math.floor(Math.log10(Math.abs(x))) - 3);
    return short(x + unit / 2);
  }

  function fromLog(log, round = short) { // a probability by its logarithm
    if (log === -Infinity) return "0";
    if (log > -700) return round(Math.exp(log));
    const tens = log / Math.LN10;
    return `10^${(round === above ? Math.ceil(tens * 10) / 10 : tens).toFixed(1)}`;
  }

  function chance(p, complement) { // without rounding to 1 what is not
    if (p <= 0.9999 || complement === 0) return short(p);
    return complement < 1e-300 ? "> 1 \u2212 1e-300" : `1 \u2212 ${short(complement, 2)}`;
  }

  function count(n) {
    if (n === null) return "too large";
    const digits = n.toString();
    if (digits.length > 15) return `${digits[0]}.${digits.slice(1, 4)}e${digits.length - 1}`;
    return digits.replace(/\B(?=(\d{3})+$)/g, ",");
  }

  // -- proved lower bounds, read from a table that Python made ----------------------------------------------------

  function provedAt({ R, eps, alpha }) { // the setting of the table that is no easier, and its exponents; or null
    const a = PROVED.alphas.indexOf(Math.abs(alpha));
    const r = PROVED.draws.findLastIndex((draws) => draws <= R);
    const e = PROVED.epsilons.findIndex((epsilon) => epsilon <= eps);
    if (a < 0 || e < 0 || PROVED.alphas[a] <= PROVED.epsilons[e]) return null;
    return { R: PROVED.draws[r], eps: PROVED.epsilons[e], exponents: PROVED.rows[a][r][e] };
  }

  function provedFailure(found, n) { // failure of n variables, at most; more variables never hurt
    const known = found.exponents;
    return n === 0 ? 1 : 10 ** -known[Math.min(n, known.length) - 1];
  }

  function sufficientN(found, delta) { // null if none in the table
    const n = found.exponents.findIndex((exponent) => exponent >= -Math.log10(delta));
    return n < 0 ? null : n + 1;
  }

  function budget({ eps, alpha, delta }, table) { // what each R of the table asks for
    return PROVED.draws.map((R) => {
      const found = provedAt({ R, eps, alpha });
      const n = found === null ? null : sufficientN(found, delta);
      const necessary = formulas.necessaryN(delta, R, eps, alpha, table);
      return { R, necessary, n, bits: n === null ? null : n * Math.log2(R + 1), draws: n === null ? null : n * R };
    });
  }

  // -- everything at one setting --------------------------------------------------------------------------------

  function evaluate({ n, R, eps, alpha, delta, widths }) {
    const table = formulas.hitTable(formulas.MAX_N, alpha, eps);
    const predicted = formulas.prediction(n, R, eps, alpha);
    const certain = Math.abs(alpha) <= eps;
    const found = provedAt({ R, eps, alpha });
    return {
      failure_prob_bound: certain ? 0 : found === null ? null : provedFailure(found, n),
      sufficient_n: certain ? 0 : found === null ? null : sufficientN(found, delta),
      budget: certain ? [] : budget({ eps, alpha, delta }, table),
      hit_prob: formulas.hitProb(alpha, eps),
      log_miss_prob_exact: formulas.logMissProbExact(n, R, eps, alpha),
      log_miss_prob_bound: formulas.logMissProbBound(n, R, eps),
      required_n_exact: formulas.requiredNExact(eps, delta, R, alpha),
      required_n: formulas.requiredN(eps, delta, R),
      success_prob_upper: formulas.successProbUpper(n, R, eps, alpha, table),
      necessary_n: formulas.necessaryN(delta, R, eps, alpha, table),
      necessary_n_closed_form: formulas.necessaryNClosedForm(eps, delta, R, alpha),
      success_prediction: predicted.success,
      failure_prediction: predicted.failure,
      predicted_n: formulas.predictedN(eps, delta, R, alpha),
      threshold_n: formulas.thresholdN(eps, R),
      layer_etas: formulas.layerEtas(widths, eps),
      log_failure_bound: formulas.logFailureBound(widths, eps, R, BigInt(n)),
      required_n_ours: formulas.requiredNOurs(widths, eps, delta, R),
      required_n_repaired: formulas.requiredNRepaired(widths, eps, delta, R),
      required_n_recalled: formulas.requiredNRecalled(widths, eps, delta, R),
      required_R_for_minimal_width: formulas.requiredRForMinimalWidth(widths, eps, delta),
    };
  }

  function fromBelow(failure) { // 1 - failure, rounded down
    if (failure === null) return "not in the table";
    return failure < 1e-3 ? `1 \u2212 ${above(failure)}` : String(Math.floor((1 - failure) * 1e4) / 1e4);
  }

  function showTable(values) {
    const found = provedAt(state);
    const list = (numbers) => numbers.map(String).join(", ");
    byId("x-table-note").textContent = Math.abs(state.alpha) <= state.eps ? "\u00a0"
      : found === null ? `2.2 and 2.3 stand in the table for |\u03b1| = ${list(PROVED.alphas)} and \u03b5 \u2265 1e-6.`
      : `2.2 and 2.3 are read at R = ${found.R}, \u03b5 = ${found.eps}, |\u03b1| = ${Math.abs(state.alpha)}.`;
    byId("x-budget-rows").replaceChildren(...values.budget.map((one) => {
      const row = document.createElement("tr");
      const fits = one.bits !== null && one.bits <= state.bits;
      row.className = fits ? "fits" : "";
      const cells = [one.R, one.necessary === null ? `above ${formulas.MAX_N}` : one.necessary,
        one.n ?? "not in the table", one.bits === null ? "\u2013" : above(Math.round(one.bits * 100) / 100),
        one.draws ?? "\u2013"];
      row.append(...cells.map((text, i) => {
        const cell = document.createElement(i === 0 ? "th" : "td");
        if (i === 0) cell.scope = "row";
        cell.dataset.name = ["R", "necessary", "sufficient", "bits", "draws"][i];
        cell.textContent = text;
        return cell;
      }));
      return row;
    }));
    const fitting = values.budget.filter((one) => one.bits !== null && one.bits <= state.bits);
    const cheapest = fitting.reduce((best, one) => (best === null || one.draws < best.draws ? one : best), null);
    const words = Math.abs(state.alpha) <= state.eps ? "The empty sum suffices: 0 bits."
      : cheapest === null ? `No R of the table is proved to suffice with ${state.bits} bits.`
      : `Fewest draws with at most ${state.bits} bits: R = ${cheapest.R}, n = ${cheapest.n}, `
        + `${above(Math.round(cheapest.bits * 100) / 100)} bits, ${cheapest.draws} draws.`;
    byId("x-budget").textContent = words;
  }

  function show(values) {
    showTable(values);
    const list = (counts) => (counts === null ? "too large" : counts.map(count).join(" \u00b7 "));
    const texts = {
      hit_prob: short(values.hit_prob),
      miss_prob_exact: fromLog(values.log_miss_prob_exact),
      miss_prob_bound: fromLog(values.log_miss_prob_bound, above),
      required_n_exact: count(values.required_n_exact),
      required_n: count(values.required_n),
      success_prob_upper: above(values.success_prob_upper),
      success_prob_lower: fromBelow(values.failure_prob_bound),
      sufficient_n: values.sufficient_n === null ? "not in the table" : count(BigInt(values.sufficient_n)),
      necessary_n: values.necessary_n === null ? `above ${formulas.MAX_N}` : count(values.necessary_n),
      necessary_n_closed_form: count(values.necessary_n_closed_form),
      success_prediction: chance(values.success_prediction, values.failure_prediction),
      predicted_n: values.predicted_n === null ? `above ${formulas.MAX_PREDICTED}` : count(values.predicted_n),
      threshold_n: values.threshold_n.toFixed(2),
      layer_etas: values.layer_etas.map((eta) => short(eta)).join(" \u00b7 "),
      failure_bound: fromLog(Math.min(0, values.log_failure_bound), above),
      required_n_ours: list(values.required_n_ours),
      required_n_repaired: list(values.required_n_repaired),
      required_n_recalled: list(values.required_n_recalled),
      required_R: count(values.required_R_for_minimal_width),
    };
    for (const [name, text] of Object.entries(texts)) byId(`x-${name}`).textContent = text;
    const certain = Math.abs(state.alpha) <= state.eps;
    byId("x-note").textContent = certain ? "Here |\u03b1| \u2264 \u03b5: the empty sum succeeds for certain." : "\u00a0";
    byId("x-command").textContent = `python -m sims.subset_sum --R ${state.R} --eps ${state.eps} `
      + `--alpha ${state.alpha} --delta ${state.delta} --n 1:${Math.min(state.n, 40)}`;
    const hash = new URLSearchParams({ ...state, widths: state.widths.join(" ") });
    byId("x-link").href = `#${hash}`;
  }

  // -- the curve ------------------------------------------------------------------------------------------------

  const PLOT = { left: 44, right: 628, top: 12, bottom: 248 };

  function draw(values) {
    const { n, R, eps, alpha, delta } = state;
    const last = Math.min(60, Math.max(12, n + 2, Math.min(values.predicted_n ?? 60, 58) + 3));
    const x = (m) => PLOT.left + ((PLOT.right - PLOT.left) * m) / last;
    const y = (p) => PLOT.bottom - (PLOT.bottom - PLOT.top) * p;
    const numbers = Array.from({ length: last + 1 }, (_, m) => m);
    const table = formulas.hitTable(formulas.MAX_N, alpha, eps);
    let highest = 0; // once it is drawn at 1 the bound stays there: the sums over bins of many draws take long
    const upper = (m) => {
      highest = highest > 0.9999 ? 1 : formulas.successProbUpper(m, R, eps, alpha, table);
      return highest;
    };
    const found = provedAt(state);
    const curves = {
      upper: numbers.map(upper),
      prediction: numbers.map((m) => formulas.prediction(m, R, eps, alpha).success),
      lower: found === null ? [] : numbers.map((m) => 1 - provedFailure(found, m)),
      one: numbers.map((m) => (m === 0 ? 0 : -Math.expm1(formulas.logMissProbExact(m, R, eps, alpha)))),
    };
    for (const [name, curve] of Object.entries(curves)) {
      const points = curve.map((p, m) => `${x(m).toFixed(1)},${y(p).toFixed(1)}`);
      byId(`x-curve-${name}`).setAttribute("d", points.length ? `M${points.join("L")}` : "");
      byId(`x-dots-${name}`).setAttribute("d", points.map((point) => `M${point}h0`).join(""));
    }
    const tick = last <= 15 ? 1 : last <= 30 ? 2 : 5;
    byId("x-ticks").replaceChildren(...numbers.filter((m) => m % tick === 0).map((m) => {
      const label = document.createElementNS("http://www.w3.org/2000/svg", "text");
      label.setAttribute("x", x(m).toFixed(1));
      label.setAttribute("y", PLOT.bottom + 17);
      label.textContent = m;
      return label;
    }));
    byId("x-here").setAttribute("d", `M${x(n).toFixed(1)},${PLOT.top}V${PLOT.bottom}`);
    byId("x-goal").setAttribute("d", `M${PLOT.left},${y(1 - delta).toFixed(1)}H${PLOT.right}`);
    byId("x-curve-text").textContent = `At n = ${n}: proved upper bound ${above(curves.upper[n])}, `
      + `${found === null ? "" : `proved lower bound ${fromBelow(provedFailure(found, n))}, `}prediction `
      + `${short(curves.prediction[n])}, picking one value ${short(curves.one[n])}.`;
  }

  // -- controls -------------------------------------------------------------------------------------------------

  function allowed(name, value) {
    const { low, high, whole } = CONTROLS[name];
    return Number.isFinite(value) && value >= low && value <= high && (!whole || Number.isInteger(value));
  }

  function readWidths(text) { // null if they are no widths
    const widths = text.trim().split(/[\s,]+/).map(Number);
    const fine = widths.length >= 2 && widths.length <= MAX_WIDTHS
      && widths.every((width) => Number.isInteger(width) && width >= 1 && width <= MAX_WIDTH);
    return fine ? widths : null;
  }

  const toSlider = (name, value) => (CONTROLS[name].log ? Math.log10(value) : value);

  function fromSlider(name, position) {
    const { low, high, log, whole } = CONTROLS[name];
    const value = log ? Number((10 ** position).toPrecision(whole ? 15 : 2)) : position;
    return Math.min(high, Math.max(low, whole ? Math.round(value) : Number(value.toPrecision(12))));
  }

  function place(name, from) { // show state[name] in the slider and the field, except where it comes from
    const slider = byId(`x-${name}-slider`);
    const field = byId(`x-${name}`);
    if (from !== slider) slider.value = toSlider(name, state[name]);
    if (from !== field) field.value = String(state[name]);
    slider.setAttribute("aria-valuetext", String(state[name]));
    refuse(field, false);
  }

  function refuse(field, wrong) {
    field.setAttribute("aria-invalid", String(wrong));
    byId(`${field.id}-range`).classList.toggle("wrong", wrong);
  }

  let waiting = false;
  function update() {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { // once for all events that are waiting
      waiting = false;
      refresh();
    });
  }

  function refresh() {
    const values = evaluate(state);
    show(values);
    draw(values);
  }

  function connect(name) {
    const slider = byId(`x-${name}-slider`);
    const field = byId(`x-${name}`);
    Object.assign(slider, { min: toSlider(name, CONTROLS[name].low), max: toSlider(name, CONTROLS[name].high) });
    state[name] = Number(field.value);
    place(name, field);
    slider.addEventListener("input", () => {
      state[name] = fromSlider(name, Number(slider.value));
      place(name, slider);
      update();
    });
    field.addEventListener("input", () => {
      const fine = field.value !== "" && allowed(name, Number(field.value));
      if (fine) {
        state[name] = Number(field.value);
        place(name, field);
        update();
      }
      refuse(field, !fine);
    });
    field.addEventListener("change", () => place(name, null));
  }

  function connectWidths() {
    const field = byId("x-widths");
    state.widths = readWidths(field.value);
    field.addEventListener("input", () => {
      const widths = readWidths(field.value);
      refuse(field, widths === null);
      if (widths === null) return;
      state.widths = widths;
      update();
    });
  }

  function fromHash() { // #n=8&R=5&eps=0.01&... sets the controls
    const given = new URLSearchParams(location.hash.slice(1));
    if (!given.has("n") && !given.has("R")) return false;
    for (const name of Object.keys(CONTROLS)) {
      const value = Number(given.get(name) ?? NaN);
      if (!allowed(name, value)) continue;
      state[name] = value;
      place(name, null);
    }
    const widths = readWidths(given.get("widths") ?? "");
    if (widths !== null) {
      state.widths = widths;
      byId("x-widths").value = widths.join(" ");
    }
    return true;
  }

  function selfTest() { // #selftest=[{"n": 8, "R": 5, ...}, ...] prints the numbers into the page
    const given = new URLSearchParams(location.hash.slice(1)).get("selftest");
    if (given === null) return;
    const text = (key, value) => (typeof value === "bigint" ? value.toString()
      : typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
    const printed = document.createElement("pre");
    printed.id = "selftest";
    printed.textContent = JSON.stringify(JSON.parse(given).map(evaluate), text);
    document.body.append(printed);
  }

  byId("x-live").hidden = false;
  Object.keys(CONTROLS).forEach(connect);
  connectWidths();
  const linked = fromHash();
  refresh();
  if (linked) byId("explorer").scrollIntoView();
  window.addEventListener("hashchange", () => {
    if (!fromHash()) return;
    refresh();
    byId("explorer").scrollIntoView();
  });
  selfTest();
})();
