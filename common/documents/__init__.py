"""JSON documents: read strictly, and compared with a schema, so that a wrong one is a sentence and not a surprise.

schema   what a value has to be, and in words what it is instead
reading  the text of a document as values: no NaN, no name twice, no number or nesting without end
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
