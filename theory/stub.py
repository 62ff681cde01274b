from dataclasses import dataclass

from theory.numerics import check


@dataclass(frozen=True, kw_only=True)
class SubsetSum:
    R: int = 1
    eps: float = 0.01
    alpha: object = 0.5
    model: str = "choice"

    def __post_init__(self):
        s = object.__setattr__
        s(self, "R", check.draw_count("R", self.R))
        s(self, "eps", check.accuracy("eps", self.eps))
        s(self, "alpha", check.target_or_uniform("alpha", self.alpha))

    def _k(self):
        return dict(eps=self.eps, alpha=self.alpha, model=self.model)

    def success_lower(self, n):
        import theory.subset_sum as t

        return t.success_prob_lower(n, self.R, **self._k())

    def success_upper(self, n):
        import theory.subset_sum as t

        return t.success_prob_upper(n, self.R, **self._k())

    def success_prediction(self, n):
        import theory.subset_sum as t

        return t.success_prediction(n, self.R, **self._k())

    def necessary_n(self, d):
        import theory.subset_sum as t

        return t.necessary_n(self.eps, d, R=self.R, alpha=self.alpha, model=self.model)

    def predicted_n(self, d):
        import theory.subset_sum as t

        return t.predicted_n(self.eps, d, R=self.R, alpha=self.alpha, model=self.model)


@dataclass(frozen=True, kw_only=True)
class SingleWeight:
    R: int = 1
    eps: float = 0.01
    alpha: object = 0.5
    sampler: str = "draws"
    __post_init__ = SubsetSum.__post_init__

    def required_n(self, d):
        import theory.single_weight as t

        return t.required_n(self.eps, d, R=self.R)

    def necessary_n(self, d):
        import theory.single_weight as t

        return t.required_n_exact(self.eps, d, R=self.R, alpha=self.alpha)

    predicted_n = necessary_n


@dataclass(frozen=True, kw_only=True)
class Coverage:
    R: int = 1
    eps: float = 0.01
    low: float = -0.5
    high: float = 0.5

    def _k(self):
        return dict(eps=self.eps, low=self.low, high=self.high)

    def success_lower(self, n):
        import theory.coverage as t

        return t.success_prob_lower(n, self.R, **self._k())

    def success_upper(self, n):
        import theory.coverage as t

        return t.success_prob_upper(n, self.R, **self._k())

    def success_prediction(self, n):
        import theory.coverage as t

        return t.success_prediction(n, self.R, **self._k())

    def necessary_n(self, d):
        import theory.coverage as t

        return t.necessary_n(self.eps, d, R=self.R, low=self.low, high=self.high)

    def required_n(self, d):
        import theory.coverage as t

        return t.required_n(self.eps, d, R=self.R, low=self.low, high=self.high)

    def predicted_n(self, d):
        import theory.coverage as t

        return t.predicted_n(self.eps, d, R=self.R, low=self.low, high=self.high)


@dataclass(frozen=True, kw_only=True)
class Recycling:
    eps: float = 0.01
    alpha: object = 0.5

    def _k(self):
        return dict(eps=self.eps, alpha=self.alpha)

    def success_lower(self, n):
        import theory.recycling as t

        return t.success_prob_lower(n, **self._k())

    def success_upper(self, n):
        import theory.recycling as t

        return t.success_prob_upper(n, **self._k())

    def success_prediction(self, n):
        import theory.recycling as t

        return t.success_prediction(n, **self._k())

    def necessary_n(self, d):
        import theory.recycling as t

        return t.necessary_n(self.eps, d, alpha=self.alpha)

    def required_n(self, d):
        import theory.recycling as t

        return t.required_n(self.eps, d, alpha=self.alpha)

    def predicted_n(self, d):
        import theory.recycling as t

        return t.predicted_n(self.eps, d, alpha=self.alpha)


@dataclass(frozen=True, kw_only=True)
class BinaryWeights:
    R: int = 1
    eps: float = 0.01
    alpha: object = 0.5
    kind: str = "subset"
    gain: object = "best"
    inner: int = 4

    @property
    def step(self):
        return 2 * self.eps if self.gain == "best" else self.gain

    def equivalent_subset(self, n):
        import theory.binary_weights as t

        return t.equivalent_subset(n, self.R, kind=self.kind, inner=self.inner)

    def required_n(self, d):
        import theory.binary_weights as t

        per, R = self.equivalent_subset(1)
        return -(-t.required_n(self.eps, d, R=R, alpha=self.alpha, gain=self.gain) // per)

    def success_exact(self, n):
        import theory.binary_weights as t

        v, R = self.equivalent_subset(n)
        return t.success_prob_exact(v, R, eps=self.eps, alpha=self.alpha, gain=self.gain)
