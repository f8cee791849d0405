"""Makes data/block_vectors.json: ggml's blocks as bytes and as numbers, by plain Python.

Written from the comment in src/workload/ggml_blocks.h alone, element by element: what the generator
makes of a key, and what blocks of any bytes mean. The C++ code is held against it.

    python3 tests/workload/block_vectors.py > tests/workload/data/block_vectors.json
"""

import json
import math
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "base"))
from generator_vectors import bits, f32, tensor_key  # noqa: E402

ELEMENTS = {"q4_0": 32, "q4_1": 32, "q5_0": 32, "q5_1": 32, "q8_0": 32, "q4_k": 256, "q5_k": 256,
            "q6_k": 256}
BYTES = {"q4_0": 18, "q4_1": 20, "q5_0": 22, "q5_1": 24, "q8_0": 34, "q4_k": 144, "q5_k": 176,
         "q6_k": 210}


def half(block, at):
    return struct.unpack_from("<e", block, at)[0]


def signed(byte):
    return byte - 256 if byte > 127 else byte


def bits_at(value, first, count):
    return value >> first & (1 << count) - 1


def scale_and_min(scales, j):
    """Of the twelve bytes of q4_k and q5_k: bytes 0 to 3 hold s0 to s3 below two bits of s4 to s7,
    bytes 4 to 7 the same of the minima, bytes 8 to 11 four bits of s4 to s7 below four of m4 to m7."""
    if j < 4:
        return bits_at(scales[j], 0, 6), bits_at(scales[4 + j], 0, 6)
    low, s_high, m_high = scales[4 + j], scales[j - 4], scales[j]
    return (bits_at(low, 0, 4) + 16 * bits_at(s_high, 6, 2),
            bits_at(low, 4, 4) + 16 * bits_at(m_high, 6, 2))


def element(name, block, i):
    d = half(block, 0)
    if name == "q8_0":
        return d * signed(block[2 + i])
    if name in ("q4_0", "q4_1", "q5_0", "q5_1"):
        head = 4 if name.endswith("1") else 2
        codes = head + (4 if name.startswith("q5") else 0)
        q = bits_at(block[codes + i % 16], 4 * (i // 16), 4)
        if name.startswith("q5"):
            q += 16 * bits_at(struct.unpack_from("<I", block, head)[0], i, 1)
        if name.endswith("1"):
            return d * q + half(block, 2)
        return d * (q - (16 if name.startswith("q5") else 8))
    if name in ("q4_k", "q5_k"):
        s, m = scale_and_min(block[4:16], i // 32)
        codes = 48 if name == "q5_k" else 16
        q = bits_at(block[codes + 32 * (i // 64) + i % 32], 4 * (i // 32 % 2), 4)
        if name == "q5_k":
            q += 16 * bits_at(block[16 + i % 32], i // 32, 1)
        return d * s * q - half(block, 2) * m
    part, j = divmod(i, 128)  # q6_k
    low = bits_at(block[64 * part + j % 64], 4 * (j // 64), 4)
    high = bits_at(block[128 + 32 * part + j % 32], 2 * (j // 32), 2)
    return half(block, 208) * signed(block[192 + i // 16]) * (low + 16 * high - 32)


def to_half(x):
    return struct.pack("<e", x)


# The mean square of elements whose d is 1: sums over all codes and scales that the comment allows.
def mean(values):
    values = list(values)
    return sum(values) / len(values)


def mean_square(name):
    if name == "q8_0":
        return mean(q * q for q in range(-128, 128))
    if name == "q4_0":
        return mean(q * q for q in range(-8, 8))
    if name == "q4_k":  # the upper three bits are shared, and the first of them is set
        return mean((s * q - 7.5 * m) ** 2 for top in range(4, 8) for s in range(8 * top, 8 * top + 8)
                    for m in range(8 * top, 8 * top + 8) for q in range(16))
    scales = [*range(-128, -64), *range(64, 128)]
    return mean((s * q) ** 2 for s in scales for q in range(-32, 32))


def unit(name, scale):
    return f32(scale / math.sqrt(3 * mean_square(name) * 1.0208) / 65536)


def generated(name, key, scale, index):
    words = (BYTES[name] + 3) // 4
    raw = b"".join(struct.pack("<I", bits(key, index * words + i)) for i in range(words))
    block = bytearray(raw[:BYTES[name]])
    at = 208 if name == "q6_k" else 0
    u = struct.unpack_from("<H", block, at)[0]
    d = to_half(f32(unit(name, scale) * (49152 + (u & 32767))))
    if name != "q4_k" and u >> 15:
        d = to_half(-struct.unpack("<e", d)[0])
    block[at:at + 2] = d
    if name == "q4_k":
        block[2:4] = to_half(7.5 * struct.unpack("<e", d)[0])
        for i in range(4):
            block[4 + i] |= 0x80 | 0x20
            block[8 + i] = block[4 + i] & 0xF8 | block[8 + i] & 7
            low = bits_at(block[12 + i], 0, 4)
            block[12 + i] = low | (low & 8) << 4 | block[12 + i] & 0x70
    if name == "q6_k":
        for i in range(192, 208):
            block[i] = block[i] & 0xBF | (0 if block[i] & 0x80 else 0x40)
    return bytes(block)


def values(name, block):
    return [element(name, block, i) for i in range(ELEMENTS[name])]


def any_block(name, seed):
    """Any bytes, but scales that are numbers."""
    state, out = seed, bytearray()
    for _ in range(BYTES[name]):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        out.append(state >> 56)
    at = 208 if name == "q6_k" else 0
    out[at:at + 2] = to_half(0.013 * (seed % 5 - 2.5))
    if name.endswith("1") or name in ("q4_k", "q5_k"):
        out[at + 2:at + 4] = to_half(-0.37 + 0.11 * seed)
    return bytes(out)


def vectors():
    for name in ELEMENTS:
        for seed in range(3):
            block = any_block(name, seed)
            yield {"format": name, "bytes": block.hex(), "values": values(name, block)}
    for name in ("q8_0", "q4_0", "q4_k", "q6_k"):
        for key, scale, index in ((tensor_key(1, 2, 3, "b"), 1.0, 0),
                                  (tensor_key(1, 2, 3, "b"), 1.0, 7),
                                  (tensor_key(42, 0, 0, "blk.0.ffn_up.weight"), 0.034, 5_000_000_000)):
            block = generated(name, key, scale, index)
            yield {"format": name, "key": f"{key:016x}", "scale": scale, "index": index,
                   "bytes": block.hex(), "values": values(name, block)}


if __name__ == "__main__":
    print("[")
    print(",\n".join(json.dumps(v) for v in vectors()))
    print("]")
