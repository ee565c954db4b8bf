"""Examples as one Parquet file whose bytes depend on nothing but the examples.

Pixels are kept raw, since two machines may pack one PNG differently, and packed by Zstandard, whose output is
the same everywhere. The file's writer is pinned in requirements.txt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

from .rows import FormatError

FORMAT = "emotion-site examples 1"
ROWS_AT_ONCE = 1000
COLUMNS = (
    ("digest", "string"),
    ("label", "string"),
    ("split", "string"),
    ("group", "string"),
    ("source", "string"),
    ("votes", "list<int32>"),
    ("other_votes", "int32"),
    ("height", "int16"),
    ("width", "int16"),
    ("channels", "int8"),
    ("pixels", "binary"),
)
"""`votes`: one count for each label of the set, in its order. `pixels`: gray or RGB, row by row."""


def write_examples(
    target: IO[bytes], examples: Iterable[Mapping[str, Any]], *, label_set: str, labels: Sequence[str]
) -> None:
    """`examples`: mappings with COLUMNS for keys, in the order that they shall have."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {"list<int32>": pa.list_(pa.int32())}
    columns = [
        pa.field(name, types.get(kind) or pa.type_for_alias(kind), nullable=False) for name, kind in COLUMNS
    ]
    known = {"format": FORMAT, "label_set": label_set, "labels": json.dumps(list(labels), ensure_ascii=False)}
    schema = pa.schema(columns, metadata=known)
    waiting = iter(examples)
    with parquet.ParquetWriter(
        target, schema, compression="zstd", compression_level=3, use_dictionary=False, write_statistics=False
    ) as writer:
        while rows := list(islice(waiting, ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=ROWS_AT_ONCE)


def read_examples(path: Path) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """The slugs of the labels that votes are counted for, and the examples.

    Raises FormatError for a file that `write_examples` has not written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            known = file.schema_arrow.metadata or {}
        if known.get(b"format") != FORMAT.encode():
            raise FormatError(f"{path.name} is a Parquet file, but none that this site has written.")
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{path.name} can't be read as Parquet: {error}") from error

    def examples() -> Iterator[dict[str, Any]]:
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS_AT_ONCE):
                    yield from batch.to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise FormatError(f"{path.name} can't be read to its end: {error}") from error

    return json.loads(known[b"labels"]), examples()
