"""Makes data/half_vectors.json: what NumPy says f16 and bf16 conversions give, and fp8 by hand.

    /usr/bin/python3 tests/base/half_vectors.py > tests/base/data/half_vectors.json

NumPy has no bf16. Its vectors come from float64 arithmetic: the value is split into mantissa and
exponent, and np.rint (ties to even) rounds to 8 bits, which is another way than the bit trick in C++.
Nor has it e4m3fn: all its 127 finite magnitudes are listed, and the nearest is looked for.
Values are f32 bits in hex, so that NaN, infinities and signed zeros are exact.
"""

import json

import numpy as np


def inputs():
    edges = [0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 0x7F800001,
             0x7F7FFFFF, 0xFF7FFFFF, 0x00000001, 0x007FFFFF, 0x00800000, 0x3F800000, 0xBF800000]
    # Around every place where f16 changes its behaviour: largest, overflow, subnormals, underflow.
    for value in [65504.0, 65519.996, 65520.0, 65536.0, 2.0**-14, 2.0**-24, 2.0**-25, 1.5 * 2.0**-24,
                  2.5 * 2.0**-24, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-8, 1 + 3 * 2.0**-8]:
        bits = int(np.float32(value).view(np.uint32))
        edges += [b ^ s for b in (bits - 1, bits, bits + 1) for s in (0, 0x80000000)]
    random = np.random.default_rng(1)
    anywhere = random.integers(0, 2**32, 150, dtype=np.uint64)
    in_f16 = (random.standard_normal(150) * 10.0 ** random.uniform(-8, 5, 150)).astype(np.float32)
    return np.array(edges + list(anywhere) + list(in_f16.view(np.uint32)), dtype=np.uint32)


def to_bf16(x):
    sign = int(np.signbit(x)) << 15
    if np.isnan(x):
        return sign | 0x7FC0
    if np.isinf(x):
        return sign | 0x7F80
    mantissa, exponent = np.frexp(np.abs(np.float64(x)))
    # Below 2^-126 bf16 has subnormals: their last bit is always worth 2^-133.
    last = max(int(exponent) - 8, -133)
    rounded = np.rint(np.ldexp(mantissa, int(exponent) - last)) * 2.0**last
    if rounded >= 2.0**128:
        return sign | 0x7F80
    return sign | int(np.float32(rounded).view(np.uint32)) >> 16


# Code 0x7f is NaN; exponent 0 holds multiples of 2^-9.
FP8 = np.array([m * 2.0**-9 if e == 0 else (8 + m) * 2.0 ** (e - 10)
                for e in range(16) for m in range(8)][:127])


def to_fp8(x):
    sign = int(np.signbit(x)) << 7
    if np.isnan(x):
        return sign | 0x7F
    away = np.abs(FP8 - min(np.abs(np.float64(x)), 1e9))
    nearest = np.flatnonzero(away == away.min())
    return sign | int(min(nearest, key=lambda code: code % 2))


def fp8_inputs():
    middles = (FP8[1:] + FP8[:-1]) / 2
    edges = [int(b) + step for b in np.concatenate([FP8, middles]).astype(np.float32).view(np.uint32)
             for step in (-1, 0, 1) if b or step >= 0]
    overflow = [int(np.float32(v).view(np.uint32)) for v in (448.5, 464, 480, 1e30)]
    return np.array([b ^ s for b in edges + overflow for s in (0, 0x80000000)], dtype=np.uint32)


def main():
    np.seterr(over="ignore")
    bits = inputs()
    all_bits = np.concatenate([bits, fp8_inputs()])
    fp8 = [[f"{b:08x}", f"{to_fp8(x):02x}"] for b, x in zip(all_bits, all_bits.view(np.float32))]
    fp8_back = [[f"{c:02x}", f"{int(np.float32(FP8[c & 0x7f]).view(np.uint32)) | (c >> 7) << 31:08x}"]
                for c in range(256) if c & 0x7F != 0x7F]
    values = bits.view(np.float32)
    rows = [[f"{b:08x}", f"{h:04x}", f"{to_bf16(x):04x}"]
            for b, h, x in zip(bits, values.astype(np.float16).view(np.uint16), values)]
    codes = np.arange(0, 65536, 257, dtype=np.uint16)  # every exponent, spread mantissas
    back = [[f"{c:04x}", f"{f:08x}"]
            for c, f in zip(codes, codes.view(np.float16).astype(np.float32).view(np.uint32))]
    print('{"f32_f16_bf16": [')
    print(",\n".join(map(json.dumps, rows)))
    print('], "f16_f32": [')
    print(",\n".join(map(json.dumps, back)))
    print('], "f32_fp8": [')
    print(",\n".join(map(json.dumps, fp8)))
    print('], "fp8_f32": [')
    print(",\n".join(map(json.dumps, fp8_back)))
    print("]}")


main()
