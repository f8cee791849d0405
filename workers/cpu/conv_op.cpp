#include "conv_op.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "product.h"

namespace ridge::cpu {
namespace {

using Memory = dnnl::memory;
using Tag = Memory::format_tag;

Memory::data_type type_of(DType dtype) {
  switch (dtype) {
    case DType::bf16: return Memory::data_type::bf16;
    case DType::f16: return Memory::data_type::f16;
    case DType::int8: return Memory::data_type::s8;
    default: return Memory::data_type::f32;
  }
}

// The pixels as an image, as square as their number allows.
Memory::desc pixels(const ConvStack& stack) {
  auto height = static_cast<int64_t>(std::sqrt(static_cast<double>(stack.spatial)));
  while (stack.spatial % height != 0) --height;
  return {{1, stack.channels, height, stack.spatial / height}, type_of(stack.dtype), Tag::nhwc};
}

Memory::desc plain_weights(const ConvStack& stack) {
  return {{stack.channels, stack.channels, 1, 1}, type_of(stack.dtype), Tag::oihw};
}

}  // namespace

Result<onednn::Built> make_convolution(const dnnl::engine& engine, const ConvStack& stack,
                                       Form form) try {
  const Memory::desc image = pixels(stack), plain = plain_weights(stack);
  const Memory::desc any({stack.channels, stack.channels, 1, 1}, type_of(stack.dtype), Tag::any);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  const float scale = stack.dtype == DType::int8 ? stack.int8_scale() : 1;
  return onednn::convolution(engine, image, form == Form::packed ? any : plain, image, scale,
                             attributes);
} catch (const dnnl::error& error) {
  return Error{
      fmt::format("oneDNN {} has no {} convolution with {} weights for this processor "
                  "({}; {})",
                  onednn_version(), name(stack.dtype), name(form), onednn_isa(), error.message)};
}

ConvOp::ConvOp(const sdk::Task& task, sdk::Arena& arena, Team& team, const dnnl::engine& engine)
    : HostOp(task, arena, team.filler(team.threads_for(task.settings.threads))),
      team_(team),
      threads_(team.threads_for(task.settings.threads)),
      engine_(engine),
      stream_(engine) {
  team_.use(threads_);
  const auto stack = std::get<ConvStack>(task.work);
  auto built = make_convolution(engine, stack, task.settings.form);
  if (!built) throw std::runtime_error(built.error().message);
  convolution_ = *std::move(built);
  const Memory::desc image = pixels(stack), plain = plain_weights(stack);
  packed_ = convolution_.weights != plain;

  const int64_t before = arena.used();
  const auto take = [&](const Memory::desc& desc) {
    const auto bytes = static_cast<int64_t>(desc.get_size());
    return Memory(desc, engine_, bytes > 0 ? arena.allocate(bytes) : nullptr);
  };
  const Memory scratchpad = take(convolution_.scratchpad);
  const std::array<Memory, 2> between = {take(image), take(image)};
  const auto layer_bytes = static_cast<int64_t>(plain.get_size());
  for (int64_t i = 0; i < task.copies; ++i) {
    std::vector<Layer>& layers = copies_.emplace_back();
    auto* weights = static_cast<std::byte*>(data("w", i));
    const Memory x(image, engine_, data("x", i)), y(image, engine_, data("y", i));
    for (int64_t l = 0; l < stack.depth; ++l) {
      Layer layer;
      layer.plain_weights = Memory(plain, engine_, weights + l * layer_bytes);
      layer.weights = packed_ ? take(convolution_.weights) : layer.plain_weights;
      const Memory& in = l == 0 ? x : between[static_cast<size_t>(l % 2)];
      const Memory& out = l + 1 == stack.depth ? y : between[static_cast<size_t>((l + 1) % 2)];
      layer.memories = {in, layer.weights, out, scratchpad};
      std::vector<int> names = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
      for (const auto& [argument, memory] : convolution_.extra) {
        names.push_back(argument);
        layer.memories.push_back(memory);
      }
      for (size_t arg = 0; arg < names.size(); ++arg) {
        layer.args.push_back({names[arg], layer.memories[arg].get()});
      }
      layers.push_back(std::move(layer));
    }
  }
  bytes_ = bytes_held() + arena.used() - before;
  if (packed_) pack_ = dnnl::reorder(copies_[0][0].plain_weights, copies_[0][0].weights);
}

void ConvOp::filled(int64_t copy) {
  if (!packed_) return;
  for (Layer& layer : copies_[static_cast<size_t>(copy)]) {
    pack_.execute(stream_, {{DNNL_ARG_FROM, layer.plain_weights}, {DNNL_ARG_TO, layer.weights}});
  }
  stream_.wait();
}

void ConvOp::run(int64_t copy) {
  team_.use(threads_);
  for (const Layer& layer : copies_[static_cast<size_t>(copy)]) {
    if (dnnl_primitive_execute(convolution_.primitive.get(), stream_.get(),
                               static_cast<int>(layer.args.size()),
                               layer.args.data()) != dnnl_success) {
      throw std::runtime_error("oneDNN could not execute the convolution");
    }
  }
}

sdk::OpInfo ConvOp::info() const {
  sdk::OpInfo info{.kernel = "convolution " + convolution_.implementation, .bytes_held = bytes_};
  if (convolution_.implementation.find("ref") != std::string::npos) {
    info.notes.emplace_back("oneDNN's reference code: correct, but slow");
  }
  return info;
}

}  // namespace ridge::cpu
