"""Makes data/generator_vectors.json: test vectors of the input generator, version 1.

Written from the comment in src/base/random.h alone, in plain Python, so that the C++ code is held
against a second implementation; a worker in another language can use the file the same way.

    python3 tests/base/generator_vectors.py > tests/base/data/generator_vectors.json
"""

import json
import math
import struct
from fractions import Fraction

M32, M64 = (1 << 32) - 1, (1 << 64) - 1


def mix64(x):
    x = (x + 0x9E3779B97F4A7C15) & M64
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & M64
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & M64
    return x ^ x >> 31


def fnv1a64(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & M64
    return h


def tensor_key(seed, salt, copy, name):
    return mix64(mix64(mix64(mix64(seed) ^ salt) ^ copy) ^ fnv1a64(name))


def bits(key, index):
    block = mix64(key ^ index >> 32)
    a, b = block & M32 | 1, block >> 32
    h = ((index & M32) * a + b) & M32
    h = ((h ^ h >> 16) * 0x7FEB352D) & M32
    h = ((h ^ h >> 15) * 0x846CA68B) & M32
    return h ^ h >> 16


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def f16(x):
    return struct.unpack("<e", struct.pack("<e", x))[0]


def bf16(x):
    """The nearest value of 8 significant bits, ties to even, by exact arithmetic."""
    if x == 0:
        return x
    exact, step = abs(Fraction(x)), Fraction(1)
    while exact >= 256 * step:
        step *= 2
    while exact < 128 * step:
        step /= 2
    nearest = float(round(exact / step) * step)  # Python rounds a Fraction's ties to even
    return nearest if x > 0 else -nearest


def fp8(x):
    """The nearest of all e4m3fn values, by looking at each; of two as near, the even code's."""
    def value(code):
        exponent, mantissa = code >> 3, code & 7
        if exponent == 0:
            return Fraction(mantissa, 512)
        return Fraction(8 + mantissa) * Fraction(2) ** (exponent - 10)
    exact = abs(Fraction(x))
    code = min(range(0x7F), key=lambda c: (abs(value(c) - exact), c & 1))
    return math.copysign(float(value(code)), x)


def element(key, dtype, scale, index):
    h = bits(key, index)
    s = h - (1 << 32) if h >> 31 else h
    single = f32(f32((s >> 8) * 2.0**-23) * f32(scale))
    return {
        "f64": lambda: s * 2.0**-31 * scale,
        "f32": lambda: single,
        "tf32": lambda: single,
        "f16": lambda: f16(single),
        "bf16": lambda: bf16(single),
        "fp8": lambda: fp8(single),
        "int8": lambda: s >> 24,
        "int32": lambda: s >> 16,
        "uint32": lambda: h,
    }[dtype]()


KEYS = [(0, 0, 0, ""), (1, 2, 3, "A"), (42, 0, 0, "weights"), (M64, M64, 7, "layer.31.k_proj é")]
INDEXES = [0, 1, 2, 255, 65537, M32 - 1, M32, M32 + 1, 1 << 33, (1 << 40) + 12345]
SCALES = {"f64": 0.1, "f32": 0.1, "tf32": 1.0, "f16": 0.0078125, "bf16": 0.3, "fp8": 0.9,
          "int8": 1, "int32": 1, "uint32": 1}


def vectors():
    for seed, salt, copy, name in KEYS:
        key = tensor_key(seed, salt, copy, name)
        yield {
            # 64-bit numbers as text: JSON readers often keep only 53 bits.
            "seed": str(seed), "salt": str(salt), "copy": str(copy), "tensor": name,
            "key": f"{key:016x}",
            "index": INDEXES,
            "bits": [f"{bits(key, i):08x}" for i in INDEXES],
            "elements": [
                {"dtype": d, "scale": s, "values": [element(key, d, s, i) for i in INDEXES]}
                for d, s in SCALES.items()
            ],
        }


if __name__ == "__main__":
    print('{"generator_version": 1, "vectors": [')
    print(",\n".join(json.dumps(v, ensure_ascii=False) for v in vectors()))
    print("]}")
