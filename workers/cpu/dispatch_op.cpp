#include "dispatch_op.h"

#include <stdexcept>

#include "onednn.h"

namespace ridge::cpu {

DispatchOp::DispatchOp(const sdk::Task& task, sdk::Arena& arena, Team& team,
                       const dnnl::engine& engine)
    : HostOp(task, arena, team.filler(1)),
      team_(team),
      threads_(team.threads_for(task.settings.threads)),
      ops_(std::get<Dispatch>(task.work).ops),
      stream_(engine) {
  team_.use(threads_);
  const dnnl::memory::desc desc({1, Dispatch::elements}, dnnl::memory::data_type::f32,
                                dnnl::memory::format_tag::ab);
  const onednn::Built built = onednn::add(engine, desc, {});
  add_ = built.primitive;
  kernel_ = "binary " + built.implementation;
  for (int64_t i = 0; i < task.copies; ++i) {
    Copy copy{{desc, engine, data("x", i)}, {desc, engine, data("y", i)}, {}, {}};
    const auto args = [&](const dnnl::memory& left) {
      return std::vector<dnnl_exec_arg_t>{{DNNL_ARG_SRC_0, left.get()},
                                          {DNNL_ARG_SRC_1, copy.x.get()},
                                          {DNNL_ARG_DST, copy.y.get()}};
    };
    copy.first = args(copy.x);
    copy.next = args(copy.y);
    copies_.push_back(std::move(copy));
  }
}

void DispatchOp::run(int64_t index) {
  team_.use(threads_);
  const Copy& copy = copies_[static_cast<size_t>(index)];
  for (int64_t op = 0; op < ops_; ++op) {
    const auto& args = op == 0 ? copy.first : copy.next;
    if (dnnl_primitive_execute(add_.get(), stream_.get(), static_cast<int>(args.size()),
                               args.data()) != dnnl_success) {
      throw std::runtime_error("oneDNN could not execute the addition");
    }
  }
  stream_.wait();
}

sdk::OpInfo DispatchOp::info() const { return {.kernel = kernel_, .bytes_held = bytes_held()}; }

}  // namespace ridge::cpu
