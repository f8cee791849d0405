#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/choices.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// Memory traffic over f32 arrays of `bytes` each (McCalpin's STREAM counts arrays so, too):
//   read   sum[j] = a[j·8192] + … + a[(j+1)·8192 - 1], the last chunk may be short
//   write  c[i] = s          copy   c[i] = a[i]          triad   c[i] = a[i] + s·b[i]
// `s` is a tensor of one element. nontemporal: stores that bypass the caches.
struct Stream {
  enum class Op { read, write, copy, triad };

  Op op = Op::copy;
  int64_t bytes = 0;
  bool nontemporal = false;

  static constexpr std::string_view kind = "stream";
  static constexpr std::string_view about = "memory traffic: read, write, copy, triad";
  static constexpr int64_t chunk = 8192;  // elements a partial sum of `read` covers

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("op", self.op, "read, write, copy or triad");
    visit("bytes", self.bytes, "size of each array");
    visit("nontemporal", self.nontemporal, "stores bypass the caches");
  }

  int64_t elements() const { return bytes / 4; }
  bool operator==(const Stream&) const = default;
};

inline constexpr std::string_view kStreamOps[] = {"read", "write", "copy", "triad"};
inline Choices choices(Stream::Op) { return {kStreamOps}; }

Result<void> validate(const Stream& stream);
std::string work_key(const Stream& stream);   // "stream/copy/64MiB", "stream/copy/64MiB/nt"
std::string operation(const Stream& stream);  // "copy"
Cost cost(const Stream& stream, const Settings& settings);
std::vector<TensorSpec> tensors(const Stream& stream);
std::vector<int64_t> elements_to_check(const Stream& stream, std::string_view tensor, int64_t want,
                                       TensorKey choice);
std::vector<Expected> expected(const Stream& stream, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
