#include "graph.h"

#include <fmt/format.h>
#include <mlx/mlx.h>

#include <cmath>
#include <stdexcept>

namespace ridge::mlx_worker {
namespace {

// FLOP/s of MLX's scalar code on one core of a CPU: work that would take longer is refused.
constexpr double kScalarRate = 4e9;
constexpr double kQuantisedRate = 2e9;
constexpr double kMostSeconds = 10;
constexpr int64_t kKeptBytes = 32 << 20;  // of freed memory: MLX's default on a CPU
constexpr const char* kScalarNote = "one thread of scalar code: MLX has no other for it on a CPU";

bool is_half(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

Result<void> worth_waiting_for(double flops, std::string_view what, double rate = kScalarRate) {
  const double seconds = flops / rate;
  if (seconds <= kMostSeconds) return {};
  return Error{
      fmt::format("one call would take about {:.0f} s: MLX's {} on a CPU is one thread of "
                  "scalar code",
                  seconds, what)};
}

// f32 and half types everywhere; tf32 is a matter of the process, which the worker has looked at.
Result<void> has_dtype(DType dtype, Place place, std::string_view what) {
  if (dtype == DType::f32 || is_half(dtype)) return {};
  if (dtype == DType::tf32 && place != Place::cpu) return {};
  if (dtype == DType::tf32) return Error{"a CPU has no tf32: f32 products are true f32"};
  if (dtype == DType::f64 && place == Place::cpu && what == "product") return {};
  return Error{fmt::format("MLX has no {} {} on {}", name(dtype), what,
                           place == Place::cpu ? "a CPU" : "a GPU")};
}

Result<Graph> quantised(const Gemm& gemm, Place place) {
  if (ggml_format(*gemm.weights)) {
    return Error{
        fmt::format("MLX has no product with {} weights, which are ggml's: it has q4_g64 "
                    "and q8_g64",
                    name(*gemm.weights))};
  }
  const WeightLayout layout = layout_of(*gemm.weights);
  const auto bits = layout.bits, group = static_cast<int>(layout.group);
  Graph graph{.kernel = fmt::format("quantized_matmul {} bit, group {}", bits, group)};
  if (place == Place::cpu) {
    if (is_half(gemm.dtype)) {
      return Error{
          fmt::format("MLX's quantized_matmul on a CPU adds {} products up in {}: no sum that "
                      "long comes out right",
                      name(gemm.dtype), name(gemm.dtype))};
    }
    if (auto yes =
            worth_waiting_for(cost(gemm, {}).model_flops, "quantized_matmul", kQuantisedRate);
        !yes) {
      return yes.error();
    }
    graph.notes.emplace_back(kScalarNote);
  }
  graph.compute = [bits, group](const Arrays& in) -> Arrays {
    return {mx::quantized_matmul(in[0], in[1], in[2], in[3], true, group, bits)};
  };
  return graph;
}

Result<Graph> kind_graph(const Gemm& gemm, const Settings&, Place place) {
  if (auto yes = has_dtype(gemm.dtype, place, "product"); !yes) return yes.error();
  if (gemm.output_dtype() != Gemm{.dtype = gemm.dtype}.output_dtype()) {
    return Error{"MLX's products have the dtype of their operands"};
  }
  if (gemm.weights) return quantised(gemm, place);
  Graph graph{.kernel = "matmul"};
  graph.by_blas = place == Place::cpu && !is_half(gemm.dtype);
  if (place == Place::cpu && !graph.by_blas) {
    if (auto yes = worth_waiting_for(cost(gemm, {}).model_flops,
                                     fmt::format("{} product", name(gemm.dtype)));
        !yes) {
      return yes.error();
    }
    graph.notes.emplace_back(kScalarNote);
  }
  if (gemm.layout == Gemm::Layout::nt) {
    graph.compute = [](const Arrays& in) -> Arrays {
      return {mx::matmul(in[0], mx::transpose(in[1]))};  // a view: the product reads it as it lies
    };
  } else {
    graph.compute = [](const Arrays& in) -> Arrays { return {mx::matmul(in[0], in[1])}; };
  }
  return graph;
}

Result<Graph> kind_graph(const Sustained& sustained, const Settings& settings, Place place) {
  return kind_graph(sustained.gemm, settings, place);
}

// Sums of 8192 elements, the last of what is left.
Arrays chunk_sums(const Arrays& in) {
  const mx::array& a = in[0];
  constexpr int kChunk = Stream::chunk;
  const int all = a.shape(0), whole = all / kChunk * kChunk;
  Arrays parts;
  if (whole > 0) {
    const mx::array head = whole == all ? a : mx::slice(a, {0}, {whole});
    parts.push_back(mx::sum(mx::reshape(head, {whole / kChunk, kChunk}), 1));
  }
  if (whole < all) parts.push_back(mx::sum(mx::slice(a, {whole}, {all}), 0, true));
  return {parts.size() == 1 ? parts[0] : mx::concatenate(parts)};
}

Result<Graph> kind_graph(const Stream& stream, const Settings& settings, Place place) {
  if (stream.nontemporal) return Error{"MLX has no stores that bypass the caches"};
  Graph graph;
  switch (stream.op) {
    case Stream::Op::read:
      graph.kernel = "sum of rows";
      graph.compute = chunk_sums;
      break;
    case Stream::Op::write:
      graph.kernel = "full";
      graph.compute = [shape = shape_of({stream.elements()})](const Arrays& in) -> Arrays {
        return {mx::full(shape, in[0])};
      };
      break;
    case Stream::Op::copy:
      // mx::copy of an array that is there moves nothing: both would share the memory.
      graph.kernel = "multiply by 1";
      graph.compute = [](const Arrays& in) -> Arrays { return {mx::multiply(in[0], in[1])}; };
      graph.constants = {mx::array(1.0f)};
      break;
    case Stream::Op::triad:
      graph.kernel = settings.graph ? "compiled a + s·b" : "multiply, add";
      if (!settings.graph) {
        graph.notes.emplace_back(
            "two calls: s·b is written to memory and read again, and not counted; a compiled "
            "function (graph) is one");
      }
      graph.compute = [](const Arrays& in) -> Arrays {
        return {mx::add(in[0], mx::multiply(in[2], in[1]))};
      };
      break;
  }
  if (place == Place::cpu) graph.notes.emplace_back(kScalarNote);
  if (place == Place::cpu && stream.op != Stream::Op::read && stream.bytes > kKeptBytes) {
    graph.notes.emplace_back(
        "a result above 32 MiB is fresh memory from the system every time: MLX keeps no more");
  }
  return graph;
}

Result<Graph> kind_graph(const WorkingSet& set, const Settings& settings, Place place) {
  if (set.op == WorkingSet::Op::chase) {
    return Error{"MLX has no chain of loads: each step would be a call"};
  }
  return kind_graph(set.as_stream(), settings, place);
}

Result<Graph> kind_graph(const ConvStack& stack, const Settings&, Place place) {
  if (auto yes = has_dtype(stack.dtype, place, "convolution"); !yes) return yes.error();
  Graph graph{.kernel = "conv2d 1x1"};
  graph.by_blas = place == Place::cpu;
  if (graph.by_blas && is_half(stack.dtype)) {
    graph.executed_dtype = "f32";
    graph.notes.emplace_back("MLX widens half types to f32 for a convolution on a CPU");
  }
  // The pixels as an image, as square as their number allows.
  auto height = static_cast<int64_t>(std::sqrt(static_cast<double>(stack.spatial)));
  while (stack.spatial % height != 0) --height;
  const auto c = static_cast<int>(stack.channels), depth = static_cast<int>(stack.depth);
  graph.compute = [c, depth, image = shape_of({1, height, stack.spatial / height, stack.channels}),
                   flat = shape_of({stack.spatial, stack.channels})](const Arrays& in) -> Arrays {
    mx::array y = mx::reshape(in[0], image);
    for (int layer = 0; layer < depth; ++layer) {
      const mx::array w = mx::slice(in[1], {layer, 0, 0}, {layer + 1, c, c});
      y = mx::conv2d(y, mx::reshape(w, {c, 1, 1, c}));
    }
    return {mx::reshape(y, flat)};
  };
  return graph;
}

Result<Graph> kind_graph(const Dispatch& dispatch, const Settings& settings, Place) {
  Graph graph{.kernel = settings.graph ? "compiled additions" : "add"};
  if (settings.graph) graph.notes.emplace_back("compiling makes several additions one kernel");
  graph.waits = true;
  graph.compute = [ops = dispatch.ops](const Arrays& in) -> Arrays {
    mx::array y = mx::add(in[0], in[0]);
    for (int64_t op = 1; op < ops; ++op) y = mx::add(y, in[0]);
    return {y};
  };
  return graph;
}

// true where key j is seen by query i, for a window of w keys.
mx::array window_mask(const Attention& a) {
  const auto offset = static_cast<int>(a.seq_kv - a.seq_q);
  const mx::array query = mx::reshape(mx::arange(offset, offset + static_cast<int>(a.seq_q)),
                                      {static_cast<int>(a.seq_q), 1});
  const mx::array key = mx::arange(static_cast<int>(a.seq_kv));
  const mx::array behind = mx::subtract(query, key);
  return mx::logical_and(mx::greater_equal(behind, mx::array(0)),
                         mx::less(behind, mx::array(static_cast<int>(*a.window))));
}

Result<Graph> kind_graph(const Attention& a, const Settings& settings, Place place) {
  if (auto yes = has_dtype(a.dtype, place, "attention"); !yes) return yes.error();
  const bool backward = a.pass == Attention::Pass::bwd, on_cpu = place == Place::cpu;
  const std::string& way = settings.backend;
  if (!way.empty() && way != "fused" && way != "unfused") {
    return Error{fmt::format("no backend '{}': MLX has fused and unfused", way)};
  }
  if (way == "unfused" && !on_cpu) return Error{"unfused: MLX fuses by itself where it can"};
  if (way == "fused" && on_cpu) return Error{"fused: MLX has no fused attention on a CPU"};
  if (way == "fused" && backward) return Error{"fused: MLX decides by itself backward"};
  Graph graph;
  if (on_cpu) {
    graph.backend = "unfused";
    graph.by_blas = !is_half(a.dtype);
    const double flops = cost(a, {.backend = "unfused"}).executed_flops * (backward ? 1.5 : 1);
    if (!graph.by_blas) {
      if (auto yes = worth_waiting_for(flops, fmt::format("{} attention", name(a.dtype))); !yes) {
        return yes.error();
      }
      graph.notes.emplace_back(kScalarNote);
    }
  }
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(a.head_dim)));
  const auto forward = [scale, mask = a.mask](const Arrays& in, size_t mask_at, bool fused) {
    std::optional<mx::array> array;
    if (mask == Attention::Mask::window) array = in[mask_at];
    return mx::fast::scaled_dot_product_attention(in[0], in[1], in[2], scale,
                                                  mask == Attention::Mask::causal ? "causal" : "",
                                                  array, {}, fused);
  };
  if (a.mask == Attention::Mask::window) {
    graph.constants = {window_mask(a)};
    graph.notes.emplace_back("the window is a mask of booleans");
  }
  // Whether a fused kernel takes these shapes is told when the graph is built.
  const auto try_fused = [&]() -> Result<void> {
    Arrays in;
    for (const TensorSpec& spec : tensors(a)) {
      if (in.size() < 3) in.push_back(mx::zeros(shape_of(spec.shape), dtype_of(spec.dtype)));
    }
    in.insert(in.end(), graph.constants.begin(), graph.constants.end());
    try {
      forward(in, 3, true);
    } catch (const std::exception& error) {
      return Error{fmt::format("fused: {}", error.what())};
    }
    return {};
  };
  if (backward) {
    graph.kernel = "vjp of scaled_dot_product_attention";
    graph.notes.emplace_back(on_cpu ? "vjp: forward computed again inside, unfused"
                                    : "vjp: forward computed again inside");
    graph.compute = [forward](const Arrays& in) -> Arrays {
      const auto of_inputs = [&](const Arrays& primals) -> Arrays {
        Arrays all = primals;
        all.insert(all.end(), in.begin() + 4, in.end());
        return {forward(all, 3, false)};
      };
      Arrays gradients = mx::vjp(of_inputs, {in[0], in[1], in[2]}, {in[3]}).second;
      // Unfused, that of k comes out transposed: a view, whose copy belongs to the work.
      for (mx::array& gradient : gradients) gradient = mx::contiguous(gradient);
      return gradients;
    };
    return graph;
  }
  const auto fused = on_cpu ? Result<void>(Error{""}) : try_fused();
  if (way == "fused" && !fused) return fused.error();
  graph.kernel = fmt::format("scaled_dot_product_attention {}", fused ? "fused" : "unfused");
  graph.compute = [forward, forced = way == "fused"](const Arrays& in) -> Arrays {
    return {forward(in, 3, forced)};
  };
  return graph;
}

Result<Graph> kind_graph(const Load&, const Settings&, Place) {
  return Error{"MLX reads no raw files"};
}

Result<Graph> kind_graph(const Alloc&, const Settings&, Place) {
  return Error{"alloc is no graph"};
}

}  // namespace

Result<Graph> graph_of(const Workload& work, const Settings& settings, Place place) {
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.elements() >= int64_t{1} << 31) {
      return Error{fmt::format("MLX counts the elements of a dimension in 32 bits: {} has {}",
                               spec.name, spec.elements())};
    }
  }
  return std::visit(
      [&](const auto& w) -> Result<Graph> {
        if constexpr (requires { kind_graph(w, settings, place); }) {
          return kind_graph(w, settings, place);
        } else {
          return Error{fmt::format("no {} in this worker", w.kind)};
        }
      },
      work);
}

mx::Dtype dtype_of(DType dtype) {
  switch (dtype) {
    case DType::f64: return mx::float64;
    case DType::f32:
    case DType::tf32: return mx::float32;
    case DType::f16: return mx::float16;
    case DType::bf16: return mx::bfloat16;
    case DType::int32: return mx::int32;
    case DType::uint32: return mx::uint32;
    default: throw std::invalid_argument("MLX has no " + std::string(name(dtype)));
  }
}

mx::Shape shape_of(const std::vector<int64_t>& shape) {
  mx::Shape out;
  for (const int64_t extent : shape) out.push_back(static_cast<mx::ShapeElem>(extent));
  return out;
}

}  // namespace ridge::mlx_worker
