"""Makes data/forward_vectors.json: logits of small models in float64, by NumPy.

Written from the comments of src/workload/model/{config,weights,tokens,forward}.h and
src/workload/ggml_blocks.h, on whole matrices: no cache, masks instead, every expert computed for
every token and weighted by 0 where it was not chosen. RoPE is a product of complex numbers. The C++
reference is held against it.

    python3 tests/workload/forward_vectors.py > tests/workload/data/forward_vectors.json
"""

import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "base"))
from generator_vectors import tensor_key  # noqa: E402
from block_vectors import unit  # noqa: E402

SEED, SALT, COPY = 5, 8, 0
BASE = dict(sliding_window=None, rope_theta=1e4, rms_norm_eps=1e-5, tie_word_embeddings=False,
            max_position_embeddings=64)
CASES = [
    (dict(BASE, name="dense", model_type="llama", num_hidden_layers=2, hidden_size=32,
          num_attention_heads=4, num_key_value_heads=2, head_dim=8, intermediate_size=48,
          vocab_size=64), "f32", 11),
    (dict(BASE, name="window", model_type="mistral", num_hidden_layers=3, hidden_size=24,
          num_attention_heads=6, num_key_value_heads=2, head_dim=6, intermediate_size=40,
          vocab_size=50, sliding_window=4), "f32", 12),
    (dict(BASE, name="qk", model_type="qwen3", num_hidden_layers=2, hidden_size=32,
          num_attention_heads=4, num_key_value_heads=1, head_dim=16, intermediate_size=64,
          vocab_size=96, tie_word_embeddings=True, rope_theta=1e6, rms_norm_eps=1e-6), "q8_0", 9),
    (dict(BASE, name="mix", model_type="mixtral", num_hidden_layers=2, hidden_size=32,
          num_attention_heads=4, num_key_value_heads=4, head_dim=8, intermediate_size=48,
          vocab_size=64, num_experts=6, num_experts_per_tok=2, norm_topk_prob=True), "f16", 10),
    (dict(BASE, name="deep", model_type="deepseek", num_hidden_layers=3, hidden_size=32,
          num_attention_heads=2, num_key_value_heads=2, head_dim=16, intermediate_size=64,
          vocab_size=64, num_experts=5, num_experts_per_tok=3, moe_intermediate_size=24,
          n_shared_experts=2, first_k_dense_replace=1), "bf16", 10),
]


def random_bits(key, index):
    index = np.asarray(index, np.uint64)
    out = np.empty(index.shape, np.uint64)
    low = np.uint64(0xFFFFFFFF)
    for high in np.unique(index >> np.uint64(32)):
        x = (key ^ int(high)) + 0x9E3779B97F4A7C15 & (1 << 64) - 1
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        x = (x ^ x >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
        x ^= x >> 31
        mine = index >> np.uint64(32) == high
        h = (index[mine] & low) * np.uint64(x & 0xFFFFFFFF | 1) + np.uint64(x >> 32) & low
        h = (h ^ h >> np.uint64(16)) * np.uint64(0x7FEB352D) & low
        h = (h ^ h >> np.uint64(15)) * np.uint64(0x846CA68B) & low
        out[mine] = h ^ h >> np.uint64(16)
    return out


def plain(key, dtype, scale, count):
    s = random_bits(key, np.arange(count)).astype(np.uint32).view(np.int32)
    x = ((s >> 8) * 2.0**-23).astype(np.float32) * np.float32(scale)
    if dtype == "f16":
        x = x.astype(np.float16)
    if dtype == "bf16":
        bits = x.view(np.uint32).astype(np.uint64)
        bits = bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1)) & np.uint64(0xFFFF0000)
        x = bits.astype(np.uint32).view(np.float32)
    return x.astype(np.float64)


def eight_bits(key, scale, count):
    blocks = count // 32
    words = random_bits(key, np.arange(blocks * 9)).astype("<u4").reshape(blocks, 9)
    raw = np.ascontiguousarray(words).view(np.uint8).reshape(blocks, 36)[:, :34]
    u = raw[:, 0].astype(np.int64) + 256 * raw[:, 1].astype(np.int64)
    d = (np.float32(unit("q8_0", scale)) * (49152 + (u & 32767)).astype(np.float32))
    d = d.astype(np.float32).astype(np.float16).astype(np.float64) * np.where(u >> 15, -1, 1)
    return (d[:, None] * raw[:, 2:].view(np.int8)).reshape(-1)


class Weights:
    def __init__(self, fmt):
        self.fmt = fmt

    def __call__(self, name, *shape):
        count, key = int(np.prod(shape)), tensor_key(SEED, 0, 0, name + ".weight")
        scale = np.sqrt(3 / shape[-1])
        if "norm" in name:
            ones = np.float32(1) + plain(key, "f32", 0.25, count).astype(np.float32)
            return ones.astype(np.float64)
        fmt = "f32" if name.endswith("gate_inp") else self.fmt
        values = eight_bits(key, scale, count) if fmt == "q8_0" else plain(key, fmt, scale, count)
        return values.reshape(shape)


def rms_norm(x, weight, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def turn(x, theta, halves):
    """x [tokens, heads, width]: pairs are complex numbers, turned by position·theta^(-2i/width)."""
    tokens, heads, width = x.shape
    angle = np.outer(np.arange(tokens), theta ** (-np.arange(0, width, 2) / width))
    if halves:
        pairs = x[..., :width // 2] + 1j * x[..., width // 2:]
    else:
        pairs = x[..., 0::2] + 1j * x[..., 1::2]
    pairs = pairs * np.exp(1j * angle)[:, None, :]
    if halves:
        return np.concatenate([pairs.real, pairs.imag], axis=-1)
    return np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)


def swiglu(x, gate, up, down):
    a = x @ gate.T
    return (a / (1 + np.exp(-a)) * (x @ up.T)) @ down.T


def attention(m, w, x, at):
    tokens, hidden = x.shape
    heads, kv, width = m["num_attention_heads"], m["num_key_value_heads"], m["head_dim"]
    q = (x @ w(at + "attn_q", heads * width, hidden).T).reshape(tokens, heads, width)
    k = (x @ w(at + "attn_k", kv * width, hidden).T).reshape(tokens, kv, width)
    v = (x @ w(at + "attn_v", kv * width, hidden).T).reshape(tokens, kv, width)
    neox = m["model_type"] == "qwen3"
    if neox:
        q = rms_norm(q, w(at + "attn_q_norm", width), m["rms_norm_eps"])
        k = rms_norm(k, w(at + "attn_k_norm", width), m["rms_norm_eps"])
    q, k = turn(q, m["rope_theta"], neox), turn(k, m["rope_theta"], neox)
    k, v = np.repeat(k, heads // kv, axis=1), np.repeat(v, heads // kv, axis=1)
    scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(width)
    back = np.subtract.outer(np.arange(tokens), np.arange(tokens))
    hidden_from = (back < 0) | (back >= (m["sliding_window"] or tokens))
    out = np.einsum("hij,jhd->ihd", softmax(np.where(hidden_from, -np.inf, scores)), v)
    return out.reshape(tokens, -1) @ w(at + "attn_output", hidden, heads * width).T


def mixture(m, w, x, at):
    hidden, experts = x.shape[1], m["num_experts"]
    width = m.get("moe_intermediate_size", m["intermediate_size"])
    p = softmax(x @ w(at + "ffn_gate_inp", experts, hidden).T)
    best = np.sort(p, axis=-1)[:, -m["num_experts_per_tok"]]
    p = np.where(p >= best[:, None], p, 0)
    if m.get("norm_topk_prob"):
        p = p / p.sum(axis=-1, keepdims=True)
    gate = w(at + "ffn_gate_exps", experts, width, hidden)
    up = w(at + "ffn_up_exps", experts, width, hidden)
    down = w(at + "ffn_down_exps", experts, hidden, width)
    out = sum(p[:, [e]] * swiglu(x, gate[e], up[e], down[e]) for e in range(experts))
    shared = m.get("n_shared_experts", 0) * width
    if shared:
        out = out + swiglu(x, w(at + "ffn_gate_shexp", shared, hidden),
                           w(at + "ffn_up_shexp", shared, hidden),
                           w(at + "ffn_down_shexp", hidden, shared))
    return out


def logits(m, fmt, tokens):
    w, hidden, eps = Weights(fmt), m["hidden_size"], m["rms_norm_eps"]
    embedding = w("token_embd", m["vocab_size"], hidden)
    x = embedding[tokens]
    for layer in range(m["num_hidden_layers"]):
        at = f"blk.{layer}."
        x = x + attention(m, w, rms_norm(x, w(at + "attn_norm", hidden), eps), at)
        normed = rms_norm(x, w(at + "ffn_norm", hidden), eps)
        if "num_experts" in m and layer >= m.get("first_k_dense_replace", 0):
            x = x + mixture(m, w, normed, at)
        else:
            inner = m["intermediate_size"]
            x = x + swiglu(normed, w(at + "ffn_gate", inner, hidden), w(at + "ffn_up", inner, hidden),
                           w(at + "ffn_down", hidden, inner))
    output = embedding if m["tie_word_embeddings"] else w("output", m["vocab_size"], hidden)
    return rms_norm(x, w("output_norm", hidden), eps) @ output.T


def vectors():
    for model, fmt, count in CASES:
        for sequence in (0, 2):
            places = (sequence << 32) + np.arange(count)
            bits = random_bits(tensor_key(SEED, SALT, COPY, "tokens"), places)
            tokens = [int(b) * model["vocab_size"] >> 32 for b in bits]
            out = logits(model, fmt, tokens)
            positions = [0, count // 2, count - 1]
            yield {"model": {k: v for k, v in model.items() if v is not None}, "format": fmt,
                   "seed": SEED, "salt": SALT, "sequence": sequence, "tokens": tokens,
                   "positions": positions, "logits": [out[p].tolist() for p in positions]}


if __name__ == "__main__":
    print("[")
    print(",\n".join(json.dumps(v) for v in vectors()))
    print("]")
