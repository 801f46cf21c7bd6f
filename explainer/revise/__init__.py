"""A change said in plain words, made in the prompt: "same, but at night", "lose the hat", "a dog instead".

A message is read clause by clause (`reading`); each clause is matched with `patterns`, and a handler of `slots` changes
the `draft`; what fits no slot is appended, so nothing said is lost. What a language model would make of it is judged in
`proposal`. Knows no models and no pictures: which method carries the change out is decided elsewhere.
"""

from explainer.revise.draft import Change, ChangeKind, Shape
from explainer.revise.phrases import load_nlp, plural, singular
from explainer.revise.reading import Reviser, Revision, clauses

__all__ = ["Change", "ChangeKind", "Reviser", "Revision", "Shape", "clauses", "load_nlp", "plural", "singular"]
