#include "flash_op.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "stream_kernels.h"
#include "trial.h"

namespace ridge::cpu {
namespace {

constexpr int64_t kFewRows = 8;     // of a key head: more are faster by tiles
constexpr int64_t kMostTiles = 4;   // of a piece
constexpr int64_t kPieces = 32;     // a thread, or its last one is a large part of the whole
constexpr int64_t kPackKeys = 256;  // that a thread packs at a time
constexpr int64_t kLeastCut = 256;  // keys that are worth a partial result

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

float scale_of(int64_t head_dim) {
  return static_cast<float>(M_LOG2E / std::sqrt(static_cast<double>(head_dim)));
}

// Equal scores under a causal mask: output i is the mean of values 0 to i.
bool small_attention_is_right(FlashWay way, DType dtype) {
  constexpr int64_t kKeys = 40, kHeadDim = 32;
  const FlashKernels& kernels = *flash_kernels(way);
  const auto bytes = [&](int64_t count) { return static_cast<size_t>(count); };
  const auto array = [&](int64_t count) {
    return static_cast<char*>(std::aligned_alloc(64, bytes((count + 63) / 64 * 64)));
  };
  const auto tensor = [&](auto value) {
    char* out = array(kKeys * kHeadDim * bytes_of(dtype));
    for (int64_t i = 0; i < kKeys * kHeadDim; ++i) {
      const auto x = static_cast<float>(value(i / kHeadDim));
      switch (dtype) {
        case DType::f32: reinterpret_cast<float*>(out)[i] = x; break;
        case DType::f16: reinterpret_cast<uint16_t*>(out)[i] = to_f16(x); break;
        default: reinterpret_cast<uint16_t*>(out)[i] = to_bf16(x); break;
      }
    }
    return out;
  };
  const auto one = [](int64_t) { return 1; };
  FlashHead head{.q = tensor(one),
                 .k = tensor(one),
                 .v = tensor([](int64_t j) { return j; }),
                 .o = tensor(one),
                 .head_dim = kHeadDim,
                 .seq_q = kKeys,
                 .seq_kv = kKeys,
                 .ahead = 0,
                 .window = kKeys,
                 .scale = scale_of(kHeadDim)};
  char* k = array(64 * kernels.key_bytes(kHeadDim));
  char* v = array(64 * kernels.value_bytes(kHeadDim));
  kernels.pack(head, 0, kKeys, k, v);
  if (kernels.key_bytes(kHeadDim) > 0) head.k = k;
  if (kernels.value_bytes(kHeadDim) > 0) head.v = v;
  const int64_t tiles = divide_up(kKeys, kernels.width);
  kernels.attend(head, 0, tiles, array(kernels.workspace_bytes(kHeadDim, tiles)));
  for (int64_t i = 0; i < kKeys * kHeadDim; ++i) {
    const int64_t query = i / kHeadDim;
    const double right = static_cast<double>(query) / 2;
    if (!(std::fabs(load(dtype, head.o, i) - right) <= 0.01 * (1 + right))) return false;
  }
  return true;  // in a child: nothing is freed
}

struct Tried {
  FlashWay way;
  std::string why_not;
};

const std::vector<Tried>& tried(DType dtype) {
  static const std::map<DType, std::vector<Tried>> all = [] {
    std::map<DType, std::vector<Tried>> made;
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
      for (const FlashWay way : flash_ways(type)) {
        made[type].push_back({way, trial([&] { return small_attention_is_right(way, type); })});
      }
    }
    return made;
  }();
  static const std::vector<Tried> none;
  const auto at = all.find(dtype);
  return at == all.end() ? none : at->second;
}

}  // namespace

void try_flash_ways() { tried(DType::f32); }

Result<FlashWay> flash_way(const Attention& a) {
  if (a.pass != Attention::Pass::fwd) return Error{"the fused attention here is forward only"};
  if (a.dtype == DType::tf32) return Error{"a CPU has no tf32: f32 products are true f32"};
  if (a.head_dim % 16 != 0 || a.head_dim > 256) {
    return Error{fmt::format(
        "the fused attention here takes a head_dim that is a multiple of 16 up to 256, found {}",
        a.head_dim)};
  }
  std::string why = "the fused attention here needs a vector extension";
  for (const Tried& one : tried(a.dtype)) {
    if (!one.why_not.empty()) {
      why = fmt::format("fused attention fails here: {}", one.why_not);
    } else if (a.head_dim % flash_kernels(one.way)->head_dim_multiple == 0) {
      return one.way;
    }
  }
  return Error{why};
}

FlashOp::FlashOp(const sdk::Task& task, sdk::Arena& arena, Team& team, FlashWay way)
    : HostOp(task, arena, team.filler(team.threads_for(task.settings.threads))),
      team_(team),
      work_(std::get<Attention>(task.work)),
      way_(way),
      threads_(team.threads_for(task.settings.threads)) {
  for (int64_t i = 0; i < task.copies; ++i) {
    copies_.push_back({static_cast<char*>(data("q", i)), static_cast<char*>(data("k", i)),
                       static_cast<char*>(data("v", i)), static_cast<char*>(data("o", i))});
  }
  const int64_t before = arena.used();
  if (work_.group() * work_.seq_q <= kFewRows) {
    plan_rows(arena);
  } else {
    plan_tiles(arena);
  }
  bytes_ = bytes_held() + arena.used() - before;
}

void FlashOp::plan_tiles(sdk::Arena& arena) {
  kernels_ = flash_kernels(way_);
  if (kernels_ == nullptr) throw std::runtime_error("this processor has no such fused attention");
  const int64_t rows = divide_up(work_.seq_kv, 32) * 32, heads = work_.batch * work_.kv_heads;
  key_stride_ = kernels_->key_bytes(work_.head_dim) * rows;
  value_stride_ = kernels_->value_bytes(work_.head_dim) * rows;
  if (key_stride_ > 0) packed_keys_ = static_cast<char*>(arena.allocate(key_stride_ * heads));
  if (value_stride_ > 0) packed_values_ = static_cast<char*>(arena.allocate(value_stride_ * heads));
  const int64_t all_tiles = work_.batch * work_.heads * divide_up(work_.seq_q, kernels_->width);
  tiles_ = std::clamp<int64_t>(all_tiles / (kPieces * threads_), 1, kMostTiles);
  for (int i = 0; i < threads_; ++i) {
    workspaces_.push_back(arena.allocate(kernels_->workspace_bytes(work_.head_dim, tiles_)));
  }
}

void FlashOp::plan_rows(sdk::Arena& arena) {
  rows_ = flash_rows(work_.dtype);
  if (rows_ == nullptr) throw std::runtime_error("this processor has no such fused attention");
  const int64_t heads = work_.batch * work_.kv_heads;
  const int64_t keys = work_.last_key(work_.seq_q - 1) - work_.first_key(0);
  cuts_ =
      std::clamp<int64_t>(divide_up(int64_t{4} * threads_, heads), 1, divide_up(keys, kLeastCut));
  const int64_t floats = rows_->partial_floats(work_.head_dim) * work_.group() * work_.seq_q;
  partials_ = static_cast<float*>(arena.allocate(heads * cuts_ * floats * 4));
}

FlashHead FlashOp::head(const Copy& copy, int64_t key_head, int64_t head_in_group) const {
  const bool masked = work_.mask != Attention::Mask::none;
  const int64_t row_bytes = work_.head_dim * bytes_of(work_.dtype);
  const int64_t query_bytes = (key_head * work_.group() + head_in_group) * work_.seq_q * row_bytes;
  const int64_t key_bytes = key_head * work_.seq_kv * row_bytes;
  const int64_t everything = work_.seq_q + work_.seq_kv;
  return {.q = copy.q + query_bytes,
          .k = copy.k + key_bytes,
          .v = copy.v + key_bytes,
          .o = copy.o + query_bytes,
          .head_dim = work_.head_dim,
          .seq_q = work_.seq_q,
          .seq_kv = work_.seq_kv,
          .ahead = masked ? work_.seq_kv - work_.seq_q : work_.seq_kv,
          .window = work_.window.value_or(everything),
          .scale = scale_of(work_.head_dim)};
}

void FlashOp::run(int64_t copy) {
  team_.use(threads_);
  const Copy& tensors = copies_[static_cast<size_t>(copy)];
  rows_ != nullptr ? run_rows(tensors) : run_tiles(tensors);
}

void FlashOp::run_tiles(const Copy& copy) {
  const int64_t key_heads = work_.batch * work_.kv_heads, group = work_.group();
  const int64_t packs = divide_up(work_.seq_kv, kPackKeys);
  const int64_t tiles = divide_up(work_.seq_q, kernels_->width);  // of a head
  const int64_t pieces = divide_up(tiles, tiles_);
#pragma omp parallel num_threads(threads_)
  {
    void* workspace = workspaces_[static_cast<size_t>(omp_get_thread_num())];
    if (packed_keys_ != nullptr || packed_values_ != nullptr) {
#pragma omp for schedule(dynamic, 1)
      for (int64_t i = 0; i < key_heads * packs; ++i) {
        const int64_t key_head = i / packs, begin = i % packs * kPackKeys;
        kernels_->pack(head(copy, key_head, 0), begin, std::min(begin + kPackKeys, work_.seq_kv),
                       packed_keys_ + key_head * key_stride_,
                       packed_values_ + key_head * value_stride_);
      }
    }
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < key_heads * group * pieces; ++i) {
      const int64_t key_head = i / pieces / group, piece = pieces - 1 - i % pieces;
      FlashHead one = head(copy, key_head, i / pieces % group);
      if (packed_keys_ != nullptr) one.k = packed_keys_ + key_head * key_stride_;
      if (packed_values_ != nullptr) one.v = packed_values_ + key_head * value_stride_;
      const int64_t first = piece * tiles_;
      kernels_->attend(one, first * kernels_->width, std::min(tiles_, tiles - first), workspace);
    }
  }
}

void FlashOp::run_rows(const Copy& copy) {
  const int64_t key_heads = work_.batch * work_.kv_heads, rows = work_.group() * work_.seq_q;
  const int64_t floats = rows_->partial_floats(work_.head_dim) * rows;  // of a cut
  const int64_t first = work_.first_key(0), keys = work_.last_key(work_.seq_q - 1) - first;
#pragma omp parallel num_threads(threads_)
  {
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < key_heads * cuts_; ++i) {
      const int64_t cut = i % cuts_;
      rows_->attend(head(copy, i / cuts_, 0), rows, first + keys * cut / cuts_,
                    first + keys * (cut + 1) / cuts_, partials_ + i * floats);
    }
#pragma omp for
    for (int64_t i = 0; i < key_heads; ++i) {
      rows_->combine(head(copy, i, 0), rows, cuts_, partials_ + i * cuts_ * floats);
    }
  }
}

void FlashOp::filled(int64_t copy) {
  if (copy + 1 == task().copies && pages_.empty()) pages_ = arena().huge_page_note();
}

sdk::OpInfo FlashOp::info() const {
  sdk::OpInfo info{.bytes_held = bytes_};
  info.backend = "fused";
  if (rows_ != nullptr) {
    info.kernel = fmt::format("fused:{} {} by rows, keys in {} part{}", highway_target(),
                              name(work_.dtype), cuts_, cuts_ == 1 ? "" : "s");
  } else {
    info.kernel = fmt::format("fused:{} {}, {} x {} queries", highway_target(), kernels_->name,
                              tiles_, kernels_->width);
  }
  if (!pages_.empty()) info.notes.push_back(pages_);
  return info;
}

}  // namespace ridge::cpu
