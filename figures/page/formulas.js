// The formulas of theory/ that the explorer shows, in double precision; counts are BigInt.
// Names and statement numbers are those of theory/; tests/figures/test_report.py compares the numbers in a browser.
"use strict";

const formulas = (() => {
  const LARGEST = 2n ** 1000n;
  const ROUNDING = 1e-12; // theory.network_width.ROUNDING
  const REPAIR = 160.2 / 64; // theory.network_width.REPAIR
  const MAX_N = 64; // of the subset sum here
  const DEGREE = 64; // theory.subset_sum.reach
  const USEFUL = 0.1; // theory.subset_sum.first_moment
  const MAX_PREDICTED = 1000;

  // -- numbers --------------------------------------------------------------------------------------------------

  const bits = new DataView(new ArrayBuffer(8));

  function neighbour(x, step) { // the next double above (step 1n) or below (step -1n), x > 0
    bits.setFloat64(0, x);
    bits.setBigInt64(0, bits.getBigInt64(0) + step);
    return bits.getFloat64(0);
  }

  function fraction(x) { // a double >= 0 as numerator and denominator
    let denominator = 1n;
    while (!Number.isInteger(x)) {
      x *= 2;
      denominator *= 2n;
    }
    return [BigInt(x), denominator];
  }

  function sum(terms) { // of doubles, exactly: numerator and denominator
    return terms.reduce(([top, under], x) => {
      const [more, of] = fraction(Math.abs(x));
      const common = under > of ? under : of; // powers of two
      return [(top * common) / under + ((x < 0 ? -more : more) * common) / of, common];
    }, [0n, 1n]);
  }

  function ratio(top, under) { // the largest double that is not above top/under >= 0
    if (top === 0n) return 0;
    const size = (x) => x.toString(2).length;
    const up = 53 - (size(top) - size(under)); // the quotient has 53 or 54 binary digits
    let digits = up > 0 ? (top << BigInt(up)) / under : top / (under << BigInt(-up));
    let down = up;
    if (digits >= 2n ** 53n) {
      digits >>= 1n;
      down -= 1;
    }
    return down < 1000 ? Number(digits) * 2 ** -down : Number(digits) * 2 ** -1000 * 2 ** (1000 - down);
  }

  function smallestN(bound, level, lo) { // theory._invert.smallest_n; null if none below LARGEST
    if (bound(lo) <= level) return lo;
    let bad = lo;
    let step = 1n;
    let good;
    for (;;) {
      if (bad >= LARGEST) return null;
      good = bad + step;
      if (bound(good) <= level) break;
      bad = good;
      step *= 2n;
    }
    while (good - bad > 1n) {
      const middle = (bad + good) / 2n;
      if (bound(middle) <= level) good = middle;
      else bad = middle;
    }
    return good;
  }

  function log1mexp(x) { // log(1 - exp(x)), x <= 0
    if (x === 0) return -Infinity;
    return x > -Math.LN2 ? Math.log(-Math.expm1(x)) : Math.log1p(-Math.exp(x));
  }

  function logsumexp(terms) {
    const top = Math.max(...terms);
    if (!Number.isFinite(top)) return top;
    return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
  }

  // -- 1 single weight ------------------------------------------------------------------------------------------

  function hitProb(alpha, eps) { // 1.1
    return 0.5 * (eps + Math.min(eps, 1 - Math.abs(alpha)));
  }

  function logMissProbExact(n, R, eps, alpha) { // 1.1
    const p = hitProb(alpha, eps);
    return p < 1 ? n * R * Math.log1p(-p) : -Infinity;
  }

  function logMissProbBound(n, R, eps) { // 1.2
    return -0.5 * n * R * eps;
  }

  function requiredN(eps, delta, R) { // 1.2; the logarithm is rounded up, the rest is exact
    const log = neighbour(neighbour(-Math.log(delta), 1n), 1n);
    const [top, under] = fraction(log);
    const [epsTop, epsUnder] = fraction(eps);
    const divisor = under * epsTop * BigInt(R);
    const n = (2n * top * epsUnder + divisor - 1n) / divisor;
    return n > 1n ? n : 1n;
  }

  function requiredNExact(eps, delta, R, alpha) { // 1.1
    return smallestN((n) => logMissProbExact(Number(n * BigInt(R)), 1, eps, alpha), Math.log(delta), 1n);
  }

  // -- 2 subset sum, choice model -------------------------------------------------------------------------------

  function point(...terms) { // the exact sum of doubles as an integer plus part; part and rest = 1 - part rounded once
    const [top, under] = sum(terms);
    const whole = top < 0n ? (top - under + 1n) / under : top / under;
    const over = top - whole * under;
    return { whole: Number(whole), part: ratio(over, under), rest: ratio(under - over, under) };
  }

  // 2.0: G_k(i) = P(|S_k + i - alpha| <= half) for k = 0..order, S_k the sum of k uniforms, by recurrences without
  // subtraction; upper, lower = alpha + half, alpha - half as lattice points; element i + rows of each row is that of i
  function windows(order, upper, lower, half, rows) {
    const fill = (value) => {
      const out = new Float64Array(2 * rows);
      for (let j = 0; j < 2 * rows; j += 1) out[j] = value(j - rows);
      return out;
    };
    const box = (z) => fill((i) => (z.whole - i >= -1 && z.whole - i < 1 ? 0.5 : 0));
    const next = (f, z, k) => fill((i) => {
      const w = z.whole - i;
      const j = i + rows;
      return ((w + k + z.part) * (f[j - 1] || 0) + (k - 1 - w + z.rest) * (f[j + 1] || 0)) / (2 * (k - 1));
    });
    let above = box(upper);
    let below = box(lower);
    let g = fill((i) => (upper.whole - i >= 0 && lower.whole - i < 0 ? 1 : 0));
    const table = [g];
    for (let k = 1; k <= order; k += 1) {
      if (k > 1) {
        above = next(above, upper, k);
        below = next(below, lower, k);
      }
      const weight = (2 * half) / k;
      const last = g;
      g = fill((i) => {
        const j = i + rows;
        const left = upper.whole - i + k + upper.part;
        const right = k - 1 - (lower.whole - i) + lower.rest;
        const first = (last[j - 1] || 0) + weight * above[j];
        const second = (last[j + 1] || 0) + weight * below[j];
        return (left * first + right * second) / (2 * k + 2 * half);
      });
      table.push(g);
    }
    return table;
  }

  function hitTable(order, alpha, eps) { // 2.0: P(|S_k - alpha| <= eps) for k = 0..order
    alpha = Math.abs(alpha);
    const rows = order + 4;
    const table = windows(order, point(alpha, eps), point(alpha, -eps), eps, rows).map((g) => g[rows]);
    table[0] = alpha <= eps ? 1 : 0;
    return table;
  }

  function firstMoment(n, R, table) { // 2.1, rounded up: the table and the sum err by less than 2^-42 relative
    let total = 0;
    let weight = 1;
    for (let k = 0; k <= n; k += 1) {
      total += weight * table[k];
      if (total >= 1) return 1;
      weight = (weight * (n - k) * R) / (k + 1);
    }
    return Math.min(1, total * (1 + 2 ** -42));
  }

  function missBelow(n, R, eps, alpha) { // 2.1 (b) (i), exact and rounded down; |alpha| > eps
    if (n * R > 2000) return 0;
    const times = (a, b) => {
      const out = Array(Math.min(a.length + b.length - 1, DEGREE + 1)).fill(0n);
      a.forEach((x, i) => b.slice(0, out.length - i).forEach((y, j) => { out[i + j] += x * y; }));
      return out;
    };
    const one = [1n]; // R!/(R-i)!
    for (let i = 0; i < Math.min(R, DEGREE); i += 1) one.push(one[i] * BigInt(R - i));
    let power = [1n];
    for (let i = 0; i < n; i += 1) power = times(power, one);
    const [top, under] = sum([Math.abs(alpha), -eps]);
    let total = 0n; // over scale = under^i i!
    let scale = 1n;
    let x = 1n;
    power.forEach((coefficient, i) => {
      if (i > 0) {
        scale *= under * BigInt(i);
        total *= under * BigInt(i);
        x *= top;
      }
      total += coefficient * x;
    });
    return ratio(total, scale << BigInt(n * R));
  }

  function successAbove(n, R, eps, alpha, table) { // 2.1 (b) (ii), rounded up; |alpha| > eps
    const draws = n * R;
    if (draws === 0 || draws > 400) return 1;
    const a = Math.abs(alpha);
    const width = R <= 2 ? 0.5 : R < 5 ? 1 : 2;
    const half = width / 2;
    const bins = Math.ceil((draws + 3) / width);
    const rows = draws + 8; // beyond them nothing is left of S_c, and no bin is asked for
    const kernels = (x, y) => { // P(|S_c - (x + y + b width)| <= half) as a function of c and b
      const cells = (width < 1 ? [0, 0.5] : [0]).map((offset) => {
        const [upper, lower] = [point(-x, -y, -offset, half), point(-x, -y, -offset, -half)];
        return windows(draws, upper, lower, half, rows);
      });
      return (c, b) => cells[Number(b * width % 1 !== 0)][c][rows + Math.floor(b * width)];
    };
    const shares = kernels(a, a);
    const right = kernels(a, eps);
    const left = kernels(a, -eps);
    const centre = hitTable(draws, 0, half);
    const number = [1]; // C(n, k) R^k
    for (let k = 0; k < n; k += 1) number.push((number[k] * (n - k) * R) / (k + 1));
    let total = 0;
    for (let b = -bins; b <= bins; b += 1) {
      const inside = sum([a, b * width, -eps])[0] <= 0n && sum([a, b * width, eps])[0] >= 0n;
      let expected = 0;
      for (let k = 1; k <= n; k += 1) {
        const c = draws - k;
        expected += number[k] * table[k] * (inside ? centre[c] : Math.max(right(c, b), left(c, b)));
      }
      total += Math.min(shares(draws, b), expected);
    }
    const error = 1.01 * (22 * draws + 2 * n + (2 * bins + 1) + 30) * 2 ** -53;
    return Math.min(1, total * (1 + error) + 1e-250);
  }

  function successProbUpper(n, R, eps, alpha, table) { // the least of 2.1 and 2.1 (b), rounded up
    if (table[0] === 1) return 1;
    const first = firstMoment(n, R, table);
    if (first === 0) return first;
    const missed = missBelow(n, R, eps, alpha);
    const best = missed > 0 ? Math.min(first, neighbour(1 - missed, 1n)) : first;
    return first > USEFUL ? Math.min(best, successAbove(n, R, eps, alpha, table)) : best;
  }

  function necessaryN(delta, R, eps, alpha, table) { // 2.1, 2.1 (b): first n not excluded; null if above MAX_N
    if (table[0] === 1) return 0;
    for (let n = 0; n < table.length; n += 1) {
      if (missBelow(n, R, eps, alpha) <= delta) {
        const success = successProbUpper(n, R, eps, alpha, table);
        if (success === 1 || neighbour(1 - success, -1n) <= delta) return n;
      }
    }
    return null;
  }

  function necessaryNClosedForm(eps, delta, R, alpha) { // 2.1: least n with (R+1)^n >= (1-delta)/eps, exactly
    if (Math.abs(alpha) <= eps) return 0;
    const [top, under] = fraction(delta);
    const [epsTop, epsUnder] = fraction(eps);
    const base = BigInt(R) + 1n;
    let n = 0;
    for (let power = 1n; power * under * epsTop < (under - top) * epsUnder; power *= base) n += 1;
    return n;
  }

  const grid = Array.from({ length: 3701 }, (_, i) => 0.02 * (i - 1850)); // a standard normal, trapezoidal rule
  const weights = grid.map((z) => (0.02 / Math.sqrt(2 * Math.PI)) * Math.exp(-0.5 * z * z));

  function prediction(n, R, eps, alpha) { // 2.4, annealed: success and failure
    const target = Math.abs(alpha);
    if (target <= eps) return { success: 1, failure: 0 };
    if (n === 0) return { success: 0, failure: 1 };
    const spread = Math.sqrt((n * R) / 3) / (R + 1);
    const v = spread * spread * R;
    const log = n * Math.log1p(R) + Math.log(2 * eps) - 0.5 * Math.log(2 * Math.PI * v);
    let success = 0;
    let failure = 0;
    for (let i = 0; i < grid.length; i += 1) {
      const distance = target - spread * grid[i];
      const rate = Math.exp(Math.min(log - (0.5 * distance * distance) / v, 700));
      success += weights[i] * -Math.expm1(-rate);
      failure += weights[i] * Math.exp(-rate);
    }
    return { success: Math.min(1, success), failure: Math.min(1, failure) };
  }

  function predictedN(eps, delta, R, alpha) { // 2.4; null if above MAX_PREDICTED
    for (let n = 0; n <= MAX_PREDICTED; n += 1) if (prediction(n, R, eps, alpha).failure <= delta) return n;
    return null;
  }

  function thresholdN(eps, R) { // 2.4
    return Math.max(0, -Math.log(eps)) / Math.log1p(R);
  }

  // -- 4 networks, l2 ball --------------------------------------------------------------------------------------

  const layers = (widths) => widths.slice(1).map((out, i) => [widths[i], out]);

  function layerEtas(widths, eps) { // 4.2
    return layers(widths).map(([into, out]) => Math.log1p(eps) / ((widths.length - 1) * Math.sqrt(out * into)));
  }

  function logWindowMissProb(eta, R) { // 4.3, the worst weight
    const log = R * Math.log1p(-eta / 4);
    const success = Math.expm1(log) * Math.expm1(log);
    return success < 0.5 ? Math.log1p(-success) : logsumexp([log, log + log1mexp(log)]);
  }

  function logBound(widths, misses, counts) { // 4.4
    return logsumexp(layers(widths).map(([into, out], i) => Math.log(2 * out * into) + Number(counts[i]) * misses[i]));
  }

  function logFailureBound(widths, eps, R, n) { // 4.4, the same n in every layer
    const misses = layerEtas(widths, eps).map((eta) => logWindowMissProb(eta, R));
    return logBound(widths, misses, misses.map(() => n));
  }

  function requiredNOurs(widths, eps, delta, R) { // 4.4
    const logDelta = Math.log(delta) - ROUNDING;
    const misses = layerEtas(widths, eps).map((eta) => logWindowMissProb(eta, R));
    const weightsInAll = layers(widths).reduce((sum, [into, out]) => sum + out * into, 0);
    const share = Math.log(2 * weightsInAll) - logDelta;
    let counts = misses.map((miss) => smallestN((n) => Number(n) * miss, -share, 1n));
    if (counts.includes(null)) return null;
    while (logBound(widths, misses, counts) > logDelta) counts = counts.map((n) => n + ((n >> 44n) || 1n));
    for (let i = 0; i < counts.length; i += 1) {
      const others = counts.slice();
      counts[i] = smallestN((m) => logBound(widths, misses, others.map((n, j) => (j === i ? m : n))), logDelta, 1n);
    }
    return counts;
  }

  function byScale(widths, eps, delta, R, repaired) {
    const depth = widths.length - 1;
    return layers(widths).map(([into, out]) => {
      const K = (8 * depth * into * Math.sqrt(out)) / eps;
      const share = Math.log(2 * depth * into * out) - Math.log(delta);
      if (repaired && K * (share + Math.LN2) <= R) return 1n;
      const reach = repaired ? Math.min(R / K, 1) : R / K;
      return BigInt(Math.ceil(((repaired ? REPAIR : 1) * share) / reach ** 2));
    });
  }

  const requiredNRepaired = (widths, eps, delta, R) => byScale(widths, eps, delta, R, true); // 4.5 (d)
  const requiredNRecalled = (widths, eps, delta, R) => byScale(widths, eps, delta, R, false); // 4.5, as recalled

  function requiredRForMinimalWidth(widths, eps, delta) { // 4.4
    return smallestN((R) => logFailureBound(widths, eps, Number(R), 1n), Math.log(delta) - ROUNDING, 1n);
  }

  return {
    MAX_N, MAX_PREDICTED, hitProb, logMissProbExact, logMissProbBound, requiredN, requiredNExact, hitTable,
    successProbUpper, necessaryN, necessaryNClosedForm, prediction, predictedN, thresholdN, layerEtas,
    logFailureBound, requiredNOurs, requiredNRepaired, requiredNRecalled, requiredRForMinimalWidth,
  };
})();
