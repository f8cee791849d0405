// How a product timed through the worker compares with the same oneDNN called directly, the way its
// documentation shows: matmul and inner product both tried, the faster one kept.
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/random.h"
#include "duel.h"
#include "onednn.h"

namespace ridge::bench {
namespace {

namespace onednn = cpu::onednn;
using Desc = dnnl::memory::desc;
using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

struct Candidate {
  onednn::Built built;
  bool inner_product = false;
  Desc a, b_plain, c;
};

struct Types {
  Type in, out;
};

Types types_of(DType dtype) {
  if (dtype == DType::bf16) return {Type::bf16, Type::bf16};
  if (dtype == DType::int8) return {Type::s8, Type::s32};
  return {Type::f32, Type::f32};
}

Candidate make_candidate(const dnnl::engine& engine, const Gemm& gemm, Form form, bool inner) {
  const auto [in, out] = types_of(gemm.dtype);
  Candidate made;
  made.inner_product = inner;
  made.a = Desc({gemm.m, gemm.k}, in, Tag::ab);
  made.c = Desc({gemm.m, gemm.n}, out, Tag::ab);
  const dnnl::memory::dims shape =
      inner ? dnnl::memory::dims{gemm.n, gemm.k} : dnnl::memory::dims{gemm.k, gemm.n};
  made.b_plain = Desc(shape, in, inner ? Tag::ba : Tag::ab);
  const Desc b = form == Form::packed ? Desc(shape, in, Tag::any) : made.b_plain;
  made.built = inner ? onednn::inner_product(engine, made.a, b, made.c, {})
                     : onednn::matmul(engine, made.a, b, made.c, {});
  return made;
}

// Operands of all copies for one candidate.
class DirectGemm {
 public:
  DirectGemm(const Gemm& gemm, Form form, int64_t copies, bool inner, bool small_pages)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    Candidate made = make_candidate(engine_, gemm, form, inner);
    primitive_ = made.built.primitive;
    kernel_ = (inner ? "inner_product " : "matmul ") + made.built.implementation;
    for (int64_t copy = 0; copy < copies; ++copy) {
      const dnnl::memory a = random(made.a, gemm.dtype, gemm.m * gemm.k, "a", copy, small_pages);
      dnnl::memory b = random(made.b_plain, gemm.dtype, gemm.k * gemm.n, "b", copy, small_pages);
      if (made.built.weights != made.b_plain) {
        dnnl::memory packed = place(made.built.weights, small_pages);
        dnnl::reorder(b, packed).execute(stream_, b, packed);
        stream_.wait();
        b = packed;
      }
      args_.push_back(
          {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, place(made.c, small_pages)}});
    }
  }

  void run(int64_t copy) {
    primitive_.execute(stream_, args_[static_cast<size_t>(copy)]);
    stream_.wait();
  }
  const std::string& kernel() const { return kernel_; }

 private:
  dnnl::memory place(const Desc& desc, bool small_pages) {
    memories_.push_back(
        std::make_unique<Memory>(static_cast<int64_t>(desc.get_size()), small_pages));
    return dnnl::memory(desc, engine_, memories_.back()->as<void>());
  }
  dnnl::memory random(const Desc& desc, DType dtype, int64_t count, const char* name, int64_t copy,
                      bool small_pages) {
    dnnl::memory made = place(desc, small_pages);
    fill(tensor_key(1, 2, static_cast<uint64_t>(copy), name), dtype, 1.0, 0, count,
         made.get_data_handle());
    return made;
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::string kernel_;
  std::vector<std::unique_ptr<Memory>> memories_;
  std::vector<std::unordered_map<int, dnnl::memory>> args_;
};

double best_ns(DirectGemm& gemm, int64_t copies) {
  double best = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < std::max<int64_t>(5, copies); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    gemm.run(i % copies);
    best = std::min(
        best,
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

struct Shape {
  const char* name;
  int64_t m, n, k;
};

constexpr Shape kShapes[] = {{"256", 256, 256, 256},     {"512", 512, 512, 512},
                             {"1024", 1024, 1024, 1024}, {"2048", 2048, 2048, 2048},
                             {"4096", 4096, 4096, 4096}, {"prefill", 128, 28672, 4096},
                             {"batch", 16, 4096, 4096},  {"decode", 1, 28672, 4096}};

}  // namespace
}  // namespace ridge::bench

int main(int argc, char** argv) {
  using namespace ridge;
  using namespace ridge::bench;
  const Options options = Options::parse(argc, argv);
  const int threads = options.threads > 0 ? options.threads : physical_cores();
  Table table(
      fmt::format("Products on {} threads, cold: oneDNN called directly and through the "
                  "worker",
                  threads));
  for (const DType dtype : {DType::f32, DType::bf16, DType::int8}) {
    for (const Shape& shape : kShapes) {
      for (const Form form : {Form::plain, Form::packed}) {
        const std::string row = fmt::format("{} {} {}x{}x{} {}", name(dtype), shape.name, shape.m,
                                            shape.n, shape.k, name(form));
        if (row.find(options.filter) == std::string::npos) continue;
        const Gemm gemm{.dtype = dtype, .m = shape.m, .n = shape.n, .k = shape.k};
        std::optional<bool> inner;  // decided once, kept for all sessions
        const auto make = [&](int64_t copies) {
          const auto build = [&](bool wanted) {
            return std::make_shared<DirectGemm>(gemm, form, copies, wanted, options.small_pages);
          };
          if (!inner) {
            omp_set_num_threads(threads);
            const auto matmul = build(false), product = build(true);
            double times[2] = {1e300, 1e300};
            for (int i = 0; i < 3; ++i) {
              times[0] = std::min(times[0], best_ns(*matmul, copies));
              times[1] = std::min(times[1], best_ns(*product, copies));
            }
            inner = times[1] < times[0];
            omp_pause_resource_all(omp_pause_soft);
          }
          const auto chosen = build(*inner);
          return Direct{chosen->kernel(), [chosen](int64_t copy) { chosen->run(copy); }};
        };
        table.add(row, gemm,
                  duel(gemm, {.form = form, .threads = threads}, threads, make, options));
      }
    }
  }
  table.close();
}
