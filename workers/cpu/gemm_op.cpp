#include "gemm_op.h"

#include <stdexcept>

namespace ridge::cpu {
namespace {

Product product_or_throw(const dnnl::engine& engine, const Gemm& gemm, Form form) {
  auto product = make_product(engine, gemm, form);
  if (!product) throw std::runtime_error(product.error().message);
  return *std::move(product);
}

}  // namespace

GemmOp::GemmOp(const sdk::Task& task, sdk::Arena& arena, Team& team, const dnnl::engine& engine)
    : HostOp(task, arena, team.filler(team.threads_for(task.settings.threads))),
      team_(team),
      threads_(team.threads_for(task.settings.threads)),
      engine_(engine),
      stream_(engine) {
  team_.use(threads_);  // the library cuts the work among the threads that it sees now
  product_ = product_or_throw(engine, std::get<Gemm>(task.work), task.settings.form);
  packed_ = product_.b != product_.b_plain;

  const int64_t before = arena.used();
  const auto scratch_bytes = static_cast<int64_t>(product_.scratchpad.get_size());
  const dnnl::memory scratchpad =
      bind(product_.scratchpad, scratch_bytes > 0 ? arena.allocate(scratch_bytes) : nullptr);
  for (int64_t i = 0; i < task.copies; ++i) {
    Copy copy;
    copy.plain_weights = bind(product_.b_plain, data("b", i));
    copy.packed_weights = copy.plain_weights;
    if (packed_) {
      const auto bytes = static_cast<int64_t>(product_.b.get_size());
      copy.packed_weights = bind(product_.b, arena.allocate(bytes));
    }
    copy.memories = {bind(product_.a, data("a", i)), copy.packed_weights,
                     bind(product_.c, data("c", i)), scratchpad};
    constexpr int kNames[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    for (size_t arg = 0; arg < copy.memories.size(); ++arg) {
      copy.args.push_back({kNames[arg], copy.memories[arg].get()});
    }
    copies_.push_back(std::move(copy));
  }
  bytes_ = bytes_held() + arena.used() - before;
  if (packed_) {
    pack_ = dnnl::reorder(copies_[0].plain_weights, copies_[0].packed_weights);
  }
}

void GemmOp::run(int64_t copy) {
  team_.use(threads_);
  const auto& args = copies_[static_cast<size_t>(copy)].args;
  const dnnl_status_t status = dnnl_primitive_execute(product_.primitive.get(), stream_.get(),
                                                      static_cast<int>(args.size()), args.data());
  if (status != dnnl_success) throw std::runtime_error("oneDNN could not execute the product");
}

void GemmOp::filled(int64_t index) {
  if (packed_) {
    Copy& copy = copies_[static_cast<size_t>(index)];
    pack_.execute(stream_,
                  {{DNNL_ARG_FROM, copy.plain_weights}, {DNNL_ARG_TO, copy.packed_weights}});
    stream_.wait();
  }
  if (index + 1 == task().copies && pages_.empty()) pages_ = arena().huge_page_note();
}

sdk::OpInfo GemmOp::info() const {
  sdk::OpInfo info{.kernel = product_.kernel, .bytes_held = bytes_};
  if (product_.reference) info.notes.emplace_back("oneDNN's reference code: correct, but slow");
  if (task().settings.form == Form::packed && !packed_) {
    info.notes.emplace_back("oneDNN likes the weights best as they are: nothing was packed");
  }
  if (!pages_.empty()) info.notes.push_back(pages_);
  return info;
}

}  // namespace ridge::cpu
