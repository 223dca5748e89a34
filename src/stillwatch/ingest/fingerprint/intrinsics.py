"""Machine operations that numba does not offer: wide multiplication, unaligned loads, byte classes.

They are written as portable LLVM IR; the compiler picks the vector instructions of the machine it runs on
(AVX-512, AVX2, SSE, NEON). Byte order is little endian throughout.
"""

# ruff: noqa: ARG001 - numba reads the names of the arguments of an intrinsic

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

LANES = 64
_I8, _I64, _I128 = ir.IntType(8), ir.IntType(64), ir.IntType(128)
_BYTES = ir.VectorType(_I8, LANES)


@intrinsic
def mum(_typing: Any, a: Any, b: Any) -> Any:
    """Fold the 128-bit product of two uint64: upper half xor lower half (as in wyhash)."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        product = builder.mul(builder.zext(args[0], _I128), builder.zext(args[1], _I128))
        upper = builder.trunc(builder.lshr(product, ir.Constant(_I128, 64)), _I64)
        return builder.xor(upper, builder.trunc(product, _I64))

    return types.uint64(types.uint64, types.uint64), build


@intrinsic
def load64(_typing: Any, address: Any) -> Any:
    """Read eight bytes at any address as a little-endian uint64."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], _I64.as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(types.int64), build


@intrinsic
def load8(_typing: Any, address: Any) -> Any:
    """Read one byte at an address."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], _I8.as_pointer())
        return builder.load(pointer)

    return types.uint8(types.int64), build


@intrinsic
def trailing_zeros(_typing: Any, value: Any) -> Any:
    """Count the zero bits below the lowest set bit of a uint64; 64 for zero."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), build


@intrinsic
def leading_zeros(_typing: Any, value: Any) -> Any:
    """Count the zero bits above the highest set bit of a uint64; 64 for zero."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), build


@intrinsic
def pointer(_typing: Any, array: Any) -> Any:
    """Return the bare pointer to the data of a one-dimensional contiguous array.

    Arrays are reference-counted whenever they are handed on, which slows the pass down to a fraction; bare
    pointers are not. The caller keeps the array alive.
    """
    signature = types.CPointer(array.dtype)(array)

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return context.make_array(array)(context, builder, args[0]).data

    return signature, build


def _splat(value: int) -> Any:
    return ir.Constant(_BYTES, [value] * LANES)


def _below(builder: Any, vector: Any, low: int, count: int) -> Any:
    return builder.icmp_unsigned("<", builder.sub(vector, _splat(low)), _splat(count))


@intrinsic
def classify(_typing: Any, address: Any) -> Any:
    """Classify the 64 bytes at an address; bit i of each mask tells about byte i.

    Returns:
        Four uint64: ASCII letters, ASCII digits, bytes that are not ASCII, closing signs `}`, `]`, `>`.
    """
    signature = types.UniTuple(types.uint64, 4)(types.int64)

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        data = builder.load(builder.inttoptr(args[0], _BYTES.as_pointer()), align=1)
        folded = builder.or_(data, _splat(0x20))
        closing = builder.or_(
            builder.icmp_unsigned("==", folded, _splat(0x7D)),
            builder.icmp_unsigned("==", data, _splat(0x3E)),
        )
        masks = (
            _below(builder, folded, 0x61, 26),
            _below(builder, data, 0x30, 10),
            builder.icmp_signed("<", data, _splat(0)),
            closing,
        )
        return context.make_tuple(builder, signature.return_type, [builder.bitcast(m, _I64) for m in masks])

    return signature, build


@intrinsic
def signs(_typing: Any, address: Any) -> Any:
    """Mark the bytes `{`, `}`, `[`, `]`, `<` and `:` among the 64 bytes at an address, as a uint64."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        data = builder.load(builder.inttoptr(args[0], _BYTES.as_pointer()), align=1)
        folded = builder.or_(data, _splat(0x20))
        found = builder.icmp_unsigned("==", folded, _splat(0x7B))
        for vector, byte in ((folded, 0x7D), (data, 0x3C), (data, 0x3A)):
            found = builder.or_(found, builder.icmp_unsigned("==", vector, _splat(byte)))
        return builder.bitcast(found, _I64)

    return types.uint64(types.int64), build
