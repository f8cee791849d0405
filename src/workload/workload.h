#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "workload/kinds/alloc.h"
#include "workload/kinds/attention.h"
#include "workload/kinds/convstack.h"
#include "workload/kinds/decode.h"
#include "workload/kinds/dispatch.h"
#include "workload/kinds/gemm.h"
#include "workload/kinds/load.h"
#include "workload/kinds/load_model.h"
#include "workload/kinds/prefill.h"
#include "workload/kinds/stream.h"
#include "workload/kinds/sustained.h"
#include "workload/kinds/workingset.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// The catalogue of work. A new kind is one file in kinds/ and one name in this list; everything
// below follows from the kind's own `fields`, validate, work_key, cost, tensors, elements_to_check
// and expected.
using Workload = std::variant<Gemm, Stream, Attention, Prefill, Decode, LoadModel, WorkingSet,
                              ConvStack, Dispatch, Sustained, Load, Alloc>;

std::string_view kind(const Workload& work);
Json to_json(const Workload& work);  // {"kind": "gemm", "dtype": …}
// Parses and validates. `where` is put before the message of an error.
Result<Workload> parse_workload(const Json& json, const std::string& where);

std::string work_key(const Workload& work);
// "gemm/bf16/4096x4096x4096@cpu:0/cold/pipelined"
std::string row_key(const Workload& work, const Settings& settings, std::string_view worker,
                    std::string_view device);

// The element type of the work's operands; nullopt where a kind has none to choose (stream).
std::optional<DType> dtype_of(const Workload& work);
// The same work in another element type; nullopt where it has none, or not this one.
std::optional<Workload> with_dtype(Workload work, DType dtype);
// dtype_of, or what else it is: "bf16", "copy". A peak or a roof is asked for by it.
std::string dtype_or_operation(const Workload& work);
// What a kind's works have to share to be held against the same best: "bf16", "copy".
std::string operation(const Workload& work);
// What rows have to share for one of them to be called the best: kind, operation, cache, threads.
std::string group_key(const Workload& work, const Settings& settings);
// How long work that sets its own length is timed, in one piece: seconds; nullopt for the rest,
// which is sampled in rounds. Alloc runs once.
std::optional<double> own_seconds(const Workload& work);
// Whether samples may have untimed time between them, in which the work is made ready.
bool made_ready_each_time(const Workload& work);
// Whether it reads a file, so that the cache of its settings is the page cache.
bool reads_file(const Workload& work);
// The product that work is made of; nullptr for the rest.
const Gemm* gemm_of(const Workload& work);
// The model of work that runs a whole one; nullptr for the rest.
const ModelUse* model_use(const Workload& work);
ModelUse* model_use(Workload& work);
// Of work that runs a whole model: the tokens of each sequence that it takes, and how many the
// model's cache holds in the end.
int64_t tokens_of(const Workload& work);
int64_t context_of(const Workload& work);
// llama-bench's name of it, "pp512 @ d4096"; empty for work that runs no whole model.
std::string test_name(const Workload& work);
Cost cost(const Workload& work, const Settings& settings);
std::vector<TensorSpec> tensors(const Workload& work);

// Elements of an output worth checking (about `want`; all on small shapes), and what float64 says.
std::vector<int64_t> elements_to_check(const Workload& work, std::string_view tensor, int64_t want,
                                       TensorKey choice);
std::vector<Expected> expected(const Workload& work, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

// Kinds with their fields, for `ridge list`.
struct FieldHelp {
  std::string name, about;
};
struct KindHelp {
  std::string kind, about;
  std::vector<FieldHelp> fields;
};
std::vector<KindHelp> catalogue();

}  // namespace ridge
