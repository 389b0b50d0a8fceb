"""A first pass over all pairs: inner products that are quick and known to be nearly right.

A processor with bfloat16 units multiplies several times faster in that format. Rounding to it
is measured, so for each pair it is known how far the quick product can lie from the exact one:
what cannot reach a floor is dropped, the rest is scored exactly elsewhere. Exactness is never
at stake, only how many pairs are scored twice.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.mine.ragged import Ints
from pipeline.mine.top_k import Scores
from pipeline.models.protocols import Vectors

Doubles = NDArray[np.float64]
TILE_ROWS, TILE_COLUMNS = 1024, 16_384  # vectors a side of a tile: 32 MiB of products in bfloat16
GROUP = 8  # products that are sifted by their maximum at once
LOWEST = np.float32(-1e38)  # below every product, above the -inf of documents that are not there
WORTH_TORCH = 5e10  # multiplications above which loading torch (1.5 s of a core) pays


@dataclass(frozen=True)
class Rounded:
    """Vectors in the format of an arithmetic. values: [N, dim]. length: float64 [N], of the
    vectors as given; lost: float64 [N], the length of what rounding took from each."""

    values: Any
    length: Doubles
    lost: Doubles

    def rows(self, chosen: slice) -> Rounded:
        """A part of the vectors."""
        return Rounded(self.values[chosen], self.length[chosen], self.lost[chosen])


class Arithmetic(Protocol):
    """One way to multiply. unit: relative error of one rounding of a result."""

    unit: float

    def rounded(self, vectors: Vectors) -> Rounded:
        """vectors: float32 [N, dim]."""

    def grouped(self, queries: Rounded, documents: Rounded) -> tuple[Any, Any]:
        """Products [A, GROUP, ceil(N / GROUP)], document `g + j * ceil(N / GROUP)` at [:, j, g],
        -inf beyond the last one; and their maxima [A, ceil(N / GROUP)] over the middle."""

    def highest(self, maxima: Any, k: int) -> Scores:
        """The K-th largest of each row, float32 [A]."""

    def at_least(self, products: Any, maxima: Any, floors: Scores) -> tuple[Ints, Ints]:
        """Row and document of each product that reaches its row's floor, row by row."""


@dataclass(frozen=True)
class Tile:
    """Products of A queries and N documents, each within `error` of the exact one before its own
    rounding (relative, `unit`). error: float64 [A]."""

    arithmetic: Arithmetic
    products: Any
    maxima: Any
    error: Doubles

    def floor_of_k(self, k: int) -> Scores:
        """A number that at least K exact products of each row reach, float32 [A]; -inf where the
        tile is too narrow to tell."""
        if k > self.maxima.shape[1]:
            return np.full(len(self.error), -np.inf, np.float32)
        # Each group holds a product as large as its maximum, so K groups hold K of them.
        kth = self.arithmetic.highest(self.maxima, k).astype(np.float64)
        return _down(kth - np.abs(kth) * self.arithmetic.unit - self.error)

    def near(self, floors: Scores) -> tuple[Ints, Ints]:
        """Row and document of every pair whose exact product may reach its row's floor (float32
        [A]), by row; and of few others."""
        return self.arithmetic.at_least(self.products, self.maxima, np.maximum(_down(floors - self.error), LOWEST))


def multiply(arithmetic: Arithmetic, queries: Rounded, documents: Rounded, dim: int) -> Tile:
    """All products of two sets of vectors of `dim` values, documents not empty."""
    longest, most_lost = documents.length.max(), documents.lost.max()
    ours = queries.length + queries.lost
    rounding = queries.lost * longest + ours * most_lost
    # Of the sum in float32, in any order (Higham 2002, 3.1), and of the exact kernel's own.
    adding = 2.1 * dim * 2.0**-24 * ours * (longest + most_lost)
    return Tile(arithmetic, *arithmetic.grouped(queries, documents), rounding + adding)


def _down(values: Doubles) -> Scores:
    """float32 numbers that are not larger."""
    return np.nextafter(values.astype(np.float32), np.float32(-np.inf))


class Float32:
    """Single precision by numpy's BLAS: what every processor does well."""

    unit = 2.0**-24

    def rounded(self, vectors: Vectors) -> Rounded:
        """vectors: float32 [N, dim]; nothing is lost."""
        return Rounded(vectors, _lengths(vectors), np.zeros(len(vectors)))

    def grouped(self, queries: Rounded, documents: Rounded) -> tuple[Any, Any]:
        """See Arithmetic."""
        n = len(documents.values)
        groups = -(-n // GROUP)
        products = np.empty((len(queries.values), groups * GROUP), np.float32)
        np.matmul(queries.values, documents.values.T, out=products[:, :n])
        products[:, n:] = -np.inf
        grouped = products.reshape(-1, GROUP, groups)
        return grouped, grouped.max(axis=1)

    def highest(self, maxima: Any, k: int) -> Scores:
        """See Arithmetic."""
        groups = maxima.shape[1]
        return np.asarray(np.partition(maxima, groups - k, axis=1)[:, groups - k], np.float32)

    def at_least(self, products: Any, maxima: Any, floors: Scores) -> tuple[Ints, Ints]:
        """See Arithmetic."""
        rows, groups = np.nonzero(maxima >= floors[:, None])
        among, member = np.nonzero(products[rows, :, groups] >= floors[rows, None])
        return rows[among], groups[among] + member * maxima.shape[1]


class BFloat16:
    """8 bits of precision by torch, summed in single precision: for processors with units for it."""

    unit = 2.0**-8

    def __init__(self) -> None:
        import torch  # takes about 2 s

        self.torch: Any = torch
        self.room: Any = None

    def rounded(self, vectors: Vectors) -> Rounded:
        """vectors: float32 [N, dim]."""
        whole = self.torch.from_numpy(np.ascontiguousarray(vectors))
        short = whole.bfloat16()
        lost = (whole - short.float()).numpy()
        return Rounded(short, _lengths(vectors), _lengths(lost))

    def grouped(self, queries: Rounded, documents: Rounded) -> tuple[Any, Any]:
        """See Arithmetic."""
        n = len(documents.values)
        groups = -(-n // GROUP)
        wide = documents.values
        if groups * GROUP > n:
            wide = self.torch.nn.functional.pad(wide, (0, 0, 0, groups * GROUP - n))
        products = self._room(len(queries.values), len(wide))
        self.torch.mm(queries.values, wide.T, out=products)
        products[:, n:] = float("-inf")
        products = products.view(-1, GROUP, groups)
        return products, products.amax(1)

    def _room(self, rows: int, columns: int) -> Any:
        """Memory for the next products: fresh pages cost as much as the products themselves."""
        if self.room is None or self.room.shape != (rows, columns):
            self.room = self.torch.empty((rows, columns), dtype=self.torch.bfloat16)
        return self.room

    def highest(self, maxima: Any, k: int) -> Scores:
        """See Arithmetic."""
        return np.asarray(maxima.float().topk(k, dim=1, sorted=False).values.amin(1).numpy(), np.float32)

    def at_least(self, products: Any, maxima: Any, floors: Scores) -> tuple[Ints, Ints]:
        """See Arithmetic. Rounding is monotone: what reached a floor reaches the rounded floor."""
        width = maxima.shape[1]
        limits = self._ordered(self.torch.from_numpy(floors).bfloat16())
        rows, groups = np.divmod(np.flatnonzero(self._ordered(maxima) >= limits[:, None]), width)
        places = (rows * (GROUP * width) + groups)[:, None] + np.arange(GROUP) * width
        members = self._ordered(products.view(-1).take(self.torch.from_numpy(places)))
        among, member = np.divmod(np.flatnonzero(members >= limits[rows, None]), GROUP)
        return rows[among], groups[among] + member * width

    def _ordered(self, short: Any) -> NDArray[np.int16]:
        """Integers in the order of the bfloat16 numbers: numpy compares them ten times as fast."""
        bits: NDArray[np.int16] = short.view(self.torch.int16).numpy()
        return bits ^ ((bits >> 15) & np.int16(0x7FFF))


def _lengths(vectors: Vectors) -> Doubles:
    """Upper bounds, float64 [N]."""
    squares: Scores = np.einsum("nd,nd->n", vectors, vectors)
    return np.sqrt(squares.astype(np.float64)) * (1 + 1e-5)


def best_arithmetic(multiplications: float) -> Arithmetic:
    """The quickest way to multiply so much on this processor."""
    if multiplications < WORTH_TORCH and "torch" not in sys.modules:
        return Float32()
    import torch  # takes about 2 s

    able = torch.cpu.get_capabilities()
    return BFloat16() if able.get("amx_bf16") or able.get("avx512_bf16") else Float32()
