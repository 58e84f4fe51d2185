"""JSON documents: parsed strictly and validated against a schema, with plain error messages.

schema   the expected kinds of values, and descriptions of values that do not match
reading  the text of a document as values: no NaN, no duplicate name, no number or nesting beyond limits
"""

from common.documents.reading import parse, read
from common.documents.schema import (
    Anything,
    Either,
    Entries,
    Flag,
    Items,
    Misfit,
    Number,
    Schema,
    Table,
    Text,
    Whole,
    shown,
)

__all__ = [
    "Anything",
    "Either",
    "Entries",
    "Flag",
    "Items",
    "Misfit",
    "Number",
    "Schema",
    "Table",
    "Text",
    "Whole",
    "parse",
    "read",
    "shown",
]
