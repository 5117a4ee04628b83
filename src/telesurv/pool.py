"""Rows of struct arrays that grow by doubling and are used again when given back."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Pool:
    """Parallel arrays, one a column, that share their row numbers.

    Parameters
    ----------
    columns : name -> dtype and the shape of one row's value

    A row is all zero bytes when it is taken.
    """

    def __init__(self, **columns: tuple[DTypeLike, tuple[int, ...]]) -> None:
        self._arrays: dict[str, NDArray[Any]] = {
            name: np.zeros((8, *shape), dtype) for name, (dtype, shape) in columns.items()
        }
        self._free: list[int] = []
        self.used = 0
        """Row numbers given out so far, those given back included."""

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column; it is another array after the pool has grown."""
        return self._arrays[column]

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Return every column by name."""
        return self._arrays

    @property
    def nbytes(self) -> int:
        """Return the bytes that the columns occupy."""
        return sum(array.nbytes for array in self._arrays.values())

    def take(self) -> int:
        """Return the number of a zeroed row."""
        if self._free:
            return self._free.pop()
        row = self.used
        size = len(next(iter(self._arrays.values())))
        if row == size:
            for name, array in self._arrays.items():
                grown = np.zeros((2 * size, *array.shape[1:]), array.dtype)
                grown[:size] = array
                self._arrays[name] = grown
        self.used += 1
        return row

    def give_back(self, row: int) -> None:
        """Zero a row and let it be taken again."""
        for array in self._arrays.values():
            array[row] = np.zeros((), array.dtype)
        self._free.append(row)
