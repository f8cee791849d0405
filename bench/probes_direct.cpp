// How the probes timed through the worker compare with the same done directly: a chase through a
// shuffled ring as lmbench makes it, calls and convolutions of oneDNN's C++ interface, read(2).
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <unordered_map>

#include "base/random.h"
#include "base/units.h"
#include "duel.h"
#include "onednn.h"

namespace ridge::bench {
namespace {

namespace onednn = cpu::onednn;
using Desc = dnnl::memory::desc;
using Args = std::unordered_map<int, dnnl::memory>;

void* volatile kept;  // so that no walk is optimized away

// Sattolo's shuffle: a permutation that is one ring.
Direct chase(const WorkingSet& set, bool small_pages) {
  auto memory = std::make_shared<Memory>(set.bytes, small_pages);
  const auto lines = static_cast<size_t>(set.lines());
  std::vector<size_t> order(lines);
  std::iota(order.begin(), order.end(), size_t{0});
  const TensorKey key = tensor_key(1, 2, 3, "shuffle");
  for (size_t i = lines - 1; i > 0; --i) {
    const auto j =
        static_cast<size_t>(random_uniform(key, static_cast<int64_t>(i)) * static_cast<double>(i));
    std::swap(order[i], order[j]);
  }
  auto* base = memory->as<std::byte>();
  for (size_t i = 0; i < lines; ++i) {
    *reinterpret_cast<void**>(base + i * 64) = base + order[i] * 64;
  }
  const int64_t hops = set.hops();
  return {"shuffled ring", [memory, hops](int64_t) {
            void* at = memory->as<void>();
            for (int64_t i = 0; i < hops; ++i) at = *static_cast<void**>(at);
            kept = at;
          }};
}

struct Dnnl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

Direct dispatch(const Dispatch& work) {
  struct State : Dnnl {
    Desc desc{{1, Dispatch::elements}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::ab};
    onednn::Built add = onednn::add(engine, desc, {});
    dnnl::memory x{desc, engine}, y{desc, engine};
    Args args{{DNNL_ARG_SRC_0, y}, {DNNL_ARG_SRC_1, x}, {DNNL_ARG_DST, y}};
  };
  auto state = std::make_shared<State>();
  return {"binary " + state->add.implementation, [state, ops = work.ops](int64_t) {
            for (int64_t i = 0; i < ops; ++i) {
              state->add.primitive.execute(state->stream, state->args);
            }
            state->stream.wait();
          }};
}

Direct convolutions(const ConvStack& stack, int64_t copies, bool small_pages) {
  using Type = dnnl::memory::data_type;
  using Tag = dnnl::memory::format_tag;
  struct State : Dnnl {
    onednn::Built convolution;
    std::vector<std::unique_ptr<Memory>> memories;
    std::vector<std::vector<Args>> copies;
  };
  auto state = std::make_shared<State>();
  const Type type = stack.dtype == DType::int8   ? Type::s8
                    : stack.dtype == DType::bf16 ? Type::bf16
                                                 : Type::f32;
  const int64_t side = 64;
  const Desc image({1, stack.channels, side, stack.spatial / side}, type, Tag::nhwc);
  const Desc plain({stack.channels, stack.channels, 1, 1}, type, Tag::oihw);
  state->convolution = onednn::convolution(
      state->engine, image, Desc({stack.channels, stack.channels, 1, 1}, type, Tag::any), image,
      stack.dtype == DType::int8 ? stack.int8_scale() : 1, {});
  const auto place = [&](const Desc& desc) {
    state->memories.push_back(
        std::make_unique<Memory>(static_cast<int64_t>(desc.get_size()), small_pages));
    return dnnl::memory(desc, state->engine, state->memories.back()->as<void>());
  };
  const dnnl::memory between[2] = {place(image), place(image)};
  for (int64_t copy = 0; copy < copies; ++copy) {
    const dnnl::memory x = place(image), y = place(image);
    fill(tensor_key(1, 2, static_cast<uint64_t>(copy), "x"), stack.dtype, 1.0, 0,
         stack.spatial * stack.channels, x.get_data_handle());
    std::vector<Args>& layers = state->copies.emplace_back();
    for (int64_t layer = 0; layer < stack.depth; ++layer) {
      dnnl::memory loose = place(plain), packed = place(state->convolution.weights);
      fill(tensor_key(1, static_cast<uint64_t>(layer), 3, "w"), stack.dtype, 0.05, 0,
           stack.channels * stack.channels, loose.get_data_handle());
      dnnl::reorder(loose, packed).execute(state->stream, loose, packed);
      state->stream.wait();
      Args args{{DNNL_ARG_SRC, layer == 0 ? x : between[layer % 2]},
                {DNNL_ARG_WEIGHTS, packed},
                {DNNL_ARG_DST, layer + 1 == stack.depth ? y : between[(layer + 1) % 2]}};
      for (const auto& [name, memory] : state->convolution.extra) args.emplace(name, memory);
      layers.push_back(std::move(args));
    }
  }
  return {"convolution " + state->convolution.implementation, [state](int64_t copy) {
            for (const Args& args : state->copies[static_cast<size_t>(copy)]) {
              state->convolution.primitive.execute(state->stream, args);
            }
            state->stream.wait();
          }};
}

Direct reading(const Load& load, bool small_pages) {
  struct State {
    explicit State(int64_t bytes, bool small) : memory(bytes, small) {
      std::string path = std::filesystem::temp_directory_path().string() + "/ridge-bench-XXXXXX";
      file = ::mkstemp(path.data());
      ::unlink(path.c_str());
      fill(tensor_key(1, 2, 3, "file"), DType::int8, 1.0, 0, bytes, memory.as<void>());
      for (int64_t done = 0; file >= 0 && done < bytes;) {
        const auto n = ::write(file, memory.as<char>() + done, static_cast<size_t>(bytes - done));
        if (n <= 0) break;
        done += n;
      }
    }
    ~State() { ::close(file); }
    Memory memory;
    int file = -1;
  };
  auto state = std::make_shared<State>(load.bytes, small_pages);
  return {"read", [state, bytes = load.bytes](int64_t) {
            ::lseek(state->file, 0, SEEK_SET);
            for (int64_t done = 0; done < bytes;) {
              const auto n = ::read(state->file, state->memory.as<char>() + done,
                                    static_cast<size_t>(std::min<int64_t>(bytes - done, 8 << 20)));
              if (n <= 0) return;
              done += n;
            }
          }};
}

}  // namespace
}  // namespace ridge::bench

int main(int argc, char** argv) {
  using namespace ridge;
  using namespace ridge::bench;
  constexpr int64_t KiB = 1024, MiB = 1024 * KiB;
  const Options options = Options::parse(argc, argv);
  const int cores = options.threads > 0 ? options.threads : physical_cores();
  Table table("Probes: done directly, and through the worker");
  const auto add = [&](const Workload& work, const Settings& settings, const MakeDirect& make) {
    const std::string row = fmt::format("{} {}", work_key(work), settings_key(settings));
    if (row.find(options.filter) == std::string::npos) return;
    const int threads = settings.threads > 0 ? settings.threads : cores;
    table.add(row, work, duel(work, settings, threads, make, options));
  };
  for (const int64_t bytes : {16 * KiB, 256 * KiB, 4 * MiB, 64 * MiB, 256 * MiB}) {
    const WorkingSet set{WorkingSet::Op::chase, bytes};
    add(set, {.cache = CacheMode::hot, .threads = 1},
        [&](int64_t) { return chase(set, options.small_pages); });
  }
  for (const int64_t ops : {1, 16, 256}) {
    add(Dispatch{ops}, {.cache = CacheMode::hot, .threads = cores},
        [&](int64_t) { return dispatch(Dispatch{ops}); });
  }
  for (const DType dtype : {DType::f32, DType::bf16, DType::int8}) {
    const ConvStack stack{dtype, 512, 4096, 8};
    add(stack, {.form = Form::packed, .threads = cores},
        [&](int64_t copies) { return convolutions(stack, copies, options.small_pages); });
  }
  add(Load{64 * MiB}, {.cache = CacheMode::hot, .timing = Timing::isolated, .threads = 1},
      [&](int64_t) { return reading(Load{64 * MiB}, options.small_pages); });
  table.close();
}
