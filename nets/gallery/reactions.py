"""Chemical reactions as tokens, atoms and bonds, and the atom map that an attention matrix stands for.

Described in Schwaller et al. 2021, "Extraction of organic chemistry grammar from unsupervised learning of chemical
reactions" (Science Advances 7, eabe4166): atoms of the product are mapped one after the other, the surest first, to
the reactant atom of the same element with the most attention; neighbours of a mapped pair count 90 times as much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TOKEN = re.compile(r"\[[^\]]+\]|Br|Cl|[BNOSPFIC]|[bcnosp]|>>|[().=#+\\/:~@?>*$-]|%\d\d|\d")
ATOM = re.compile(r"\[\d*([A-Z][a-z]?|[bcnops]|se|as)[^\]]*\]|(Br|Cl|[BNOSPFICbcnops])")
NEIGHBOUR = 90.0
"""How many times as much the neighbours of a mapped pair count."""

REACTIONS = (
    "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F",
    "C1COCCO1.CC(C)(C)OC(=O)CONC(=O)NCc1cccc2ccccc12.Cl>>O=C(O)CONC(=O)NCc1cccc2ccccc12",
    "CC(=O)Cl.Nc1ccc(O)cc1.c1ccncc1>>CC(=O)Nc1ccc(O)cc1",
    "CC(=O)OC(C)=O.O=C(O)c1ccccc1O>>CC(=O)Oc1ccccc1C(=O)O",
    "Brc1ccccc1.COc1ccc(B(O)O)cc1.O=C([O-])[O-].[Na+].[Na+]>>COc1ccc(-c2ccccc2)cc1",
    "CC(C)(C)OC(=O)N1CCC(=O)CC1.CN.[BH3-]C#N.[Na+]>>CNC1CCN(C(=O)OC(C)(C)C)CC1",
    "C1CCNC1.O=[N+]([O-])c1ccc(F)cc1.CS(C)=O>>O=[N+]([O-])c1ccc(N2CCCC2)cc1",
    "CCOC(=O)c1ccc(Cl)nc1.[Na+].[OH-].CO>>O=C(O)c1ccc(Cl)nc1",
    "C=CC(=O)OC.C1COCCN1>>COC(=O)CCN1CCOCC1",
    "O=Cc1ccccc1.CC(=O)c1ccccc1.[Na+].[OH-]>>O=C(C=Cc1ccccc1)c1ccccc1",
    "Cc1ccc(S(=O)(=O)Cl)cc1.OCCc1cccs1.CCN(CC)CC>>Cc1ccc(S(=O)(=O)OCCc2cccs2)cc1",
    "COC(=O)C(N)Cc1ccccc1.O=C(O)c1cccnc1.CCN=C=NCCCN(C)C>>COC(=O)C(Cc1ccccc1)NC(=O)c1cccnc1",
)
"""Substitution, cleavage, acylation, coupling, amination, hydrolysis, addition, condensation; reactants>>product."""


@dataclass(frozen=True)
class Reaction:
    """A reaction as a network reads it.

    Attributes
    ----------
    tokens : tuple of str
    atoms : tuple of int
        Where the atoms are among the tokens.
    elements : tuple of str
        Of each atom, as C; aromatic atoms count as others.
    bonds : ndarray of bool, shape (atoms, atoms)
    reactants : int
        The first so many atoms are of the left side.
    """

    tokens: tuple[str, ...]
    atoms: tuple[int, ...]
    elements: tuple[str, ...]
    bonds: npt.NDArray[np.bool_]
    reactants: int


def parse(text: str) -> Reaction:
    """A reaction from its SMILES.

    Examples
    --------
    >>> parse("CBr.[OH-]>>CO").elements
    ('C', 'BR', 'O', 'C', 'O')
    """
    tokens = tuple(TOKEN.findall(text))
    if "".join(tokens) != text or tokens.count(">>") != 1:
        raise ValueError(f"not a reaction SMILES with one >>: {text}")
    found = [(i, match) for i, token in enumerate(tokens) if (match := ATOM.fullmatch(token))]
    atoms = tuple(i for i, _ in found)
    elements = tuple((match[1] or match[2]).upper() for _, match in found)
    arrow = tokens.index(">>")
    bonds = np.zeros((len(atoms), len(atoms)), dtype=bool)
    for one, other in _bonds(tokens, atoms):
        bonds[one, other] = bonds[other, one] = True
    return Reaction(tokens, atoms, elements, bonds, sum(i < arrow for i in atoms))


def _bonds(tokens: tuple[str, ...], atoms: tuple[int, ...]) -> list[tuple[int, int]]:
    """Pairs of atoms: those that follow each other in a chain, and those where a ring closes."""
    number = {place: k for k, place in enumerate(atoms)}
    last: int | None = None
    branches: list[int | None] = []
    rings: dict[str, int] = {}
    pairs = []
    for place, token in enumerate(tokens):
        if place in number:
            if last is not None:
                pairs.append((last, number[place]))
            last = number[place]
        elif token in (".", "~", ">>"):
            last = None
        elif token == "(":
            branches.append(last)
        elif token == ")":
            last = branches.pop()
        elif (token.isdigit() or token.startswith("%")) and last is not None:
            if token in rings:
                pairs.append((rings.pop(token), last))
            else:
                rings[token] = last
    return pairs


def atom_map(reaction: Reaction, attention: Array) -> tuple[tuple[int, ...], float]:
    """Which atom of the reactants each atom of the product was.

    Parameters
    ----------
    reaction : Reaction
    attention : ndarray, shape (tokens + 2, tokens + 2)
        From each token to each; a token before and one after them are special.

    Returns
    -------
    places : tuple of int
        One for each atom of the product; -1 where no atom of that element is left.
    confidence : float
        Product of the shares of attention that decided.
    """
    places = np.array(reaction.atoms) + 1
    left, right = places[: reaction.reactants], places[reaction.reactants :]
    weight = attention[np.ix_(right, left)] + attention[np.ix_(left, right)].T
    elements = np.array(reaction.elements)
    weight = weight * (elements[reaction.reactants :, None] == elements[: reaction.reactants])
    bonds_left = reaction.bonds[: reaction.reactants, : reaction.reactants]
    bonds_right = reaction.bonds[reaction.reactants :, reaction.reactants :]
    found, confidence = np.full(len(right), -1), 1.0
    for _ in right:
        total = weight.sum(axis=1, keepdims=True)
        share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        product, reactant = np.unravel_index(int(share.argmax()), share.shape)
        if share[product, reactant] == 0:
            break
        found[product] = reactant
        confidence *= float(share[product, reactant])
        weight[np.ix_(bonds_right[product], bonds_left[reactant])] *= NEIGHBOUR
        weight[product], weight[:, reactant] = 0, 0
    return tuple(found.tolist()), confidence
