#include "workload/workload.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "workload/fields.h"

namespace ridge {
namespace {

// Calls `use` with a default value of every kind in turn.
template <class Use, class... Kinds>
void each_kind(std::variant<Kinds...>*, Use&& use) {
  (use(Kinds{}), ...);
}
constexpr Workload* kAll = nullptr;

}  // namespace

std::string_view kind(const Workload& work) {
  return std::visit([](const auto& w) { return w.kind; }, work);
}

Json to_json(const Workload& work) {
  Json json = Json::object();
  json.set("kind", kind(work));
  std::visit([&](const auto& w) { write_fields(w, json); }, work);
  return json;
}

Result<Workload> parse_workload(const Json& json, const std::string& where) {
  Fields fields(json, where);
  std::string wanted;
  fields.required("kind", wanted);
  std::optional<Workload> work;
  std::string known;
  each_kind(kAll, [&](auto w) {
    known += (known.empty() ? "" : ", ") + std::string(w.kind);
    if (w.kind != wanted) return;
    read_fields(fields, w);
    work = w;
  });
  if (!work && json.is_object() && !wanted.empty()) {
    fields.fail("kind", fmt::format("is '{}' (known: {})", wanted, known));
  }
  if (auto done = fields.done(); !done) return done.error();
  if (!work) return Error{where + ": 'kind' must not be empty"};
  if (auto valid = std::visit([](const auto& w) { return validate(w); }, *work); !valid) {
    return valid.error().in(where);
  }
  return *work;
}

std::optional<DType> dtype_of(const Workload& work) {
  std::optional<DType> found;
  const auto look = [&](std::string_view key, const auto& value, std::string_view) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, DType>) {
      if (key == "dtype") found = value;
    }
  };
  std::visit([&](const auto& w) { w.fields(w, look); }, work);
  return found;
}

std::optional<Workload> with_dtype(Workload work, DType dtype) {
  bool found = false;
  const auto put = [&](std::string_view key, auto& value, std::string_view) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, DType>) {
      if (key != "dtype") return;
      value = dtype;
      found = true;
    }
  };
  std::visit([&](auto& w) { w.fields(w, put); }, work);
  const bool valid = std::visit([](const auto& w) { return validate(w).ok(); }, work);
  if (!found || !valid) return std::nullopt;
  return work;
}

std::string dtype_or_operation(const Workload& work) {
  const auto dtype = dtype_of(work);
  return dtype ? std::string(name(*dtype)) : operation(work);
}

std::string work_key(const Workload& work) {
  return std::visit([](const auto& w) { return work_key(w); }, work);
}

std::string row_key(const Workload& work, const Settings& settings, std::string_view worker,
                    std::string_view device) {
  return fmt::format("{}@{}:{}/{}", work_key(work), worker, device, settings_key(settings));
}

std::string operation(const Workload& work) {
  return std::visit([](const auto& w) { return operation(w); }, work);
}

std::string group_key(const Workload& work, const Settings& settings) {
  return fmt::format("{}/{}/{}/{}", kind(work), operation(work), name(settings.cache),
                     settings.threads);
}

std::optional<double> own_seconds(const Workload& work) {
  if (const auto* sustained = std::get_if<Sustained>(&work)) {
    return static_cast<double>(sustained->seconds);
  }
  if (std::holds_alternative<Alloc>(work)) return 1e-6;
  return std::nullopt;
}

bool made_ready_each_time(const Workload& work) {
  return std::holds_alternative<Load>(work) || model_use(work);
}

bool reads_file(const Workload& work) {
  return std::holds_alternative<Load>(work) || std::holds_alternative<LoadModel>(work);
}

const Gemm* gemm_of(const Workload& work) {
  if (const auto* gemm = std::get_if<Gemm>(&work)) return gemm;
  if (const auto* sustained = std::get_if<Sustained>(&work)) return &sustained->gemm;
  return nullptr;
}

const ModelUse* model_use(const Workload& work) {
  if (const auto* prefill = std::get_if<Prefill>(&work)) return &prefill->use;
  if (const auto* decode = std::get_if<Decode>(&work)) return &decode->use;
  if (const auto* load = std::get_if<LoadModel>(&work)) return &load->use;
  return nullptr;
}

ModelUse* model_use(Workload& work) {
  return const_cast<ModelUse*>(model_use(std::as_const(work)));
}

int64_t tokens_of(const Workload& work) {
  if (const auto* prefill = std::get_if<Prefill>(&work)) return prefill->tokens;
  if (const auto* decode = std::get_if<Decode>(&work)) return decode->tokens;
  return std::get<LoadModel>(work).tokens;
}

int64_t context_of(const Workload& work) { return model_use(work)->depth + tokens_of(work); }

std::string test_name(const Workload& work) {
  if (const auto* prefill = std::get_if<Prefill>(&work)) return test_name(*prefill);
  if (const auto* decode = std::get_if<Decode>(&work)) return test_name(*decode);
  if (const auto* load = std::get_if<LoadModel>(&work)) return test_name(*load);
  return "";
}

Cost cost(const Workload& work, const Settings& settings) {
  return std::visit([&](const auto& w) { return cost(w, settings); }, work);
}

std::vector<TensorSpec> tensors(const Workload& work) {
  return std::visit([](const auto& w) { return tensors(w); }, work);
}

std::vector<int64_t> elements_to_check(const Workload& work, std::string_view tensor, int64_t want,
                                       TensorKey choice) {
  return std::visit([&](const auto& w) { return elements_to_check(w, tensor, want, choice); },
                    work);
}

std::vector<Expected> expected(const Workload& work, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  return std::visit([&](const auto& w) { return expected(w, inputs, tensor, elements); }, work);
}

std::vector<KindHelp> catalogue() {
  std::vector<KindHelp> kinds;
  each_kind(kAll, [&](const auto& w) {
    KindHelp help{std::string(w.kind), std::string(w.about), {}};
    w.fields(w, [&](std::string_view key, const auto&, std::string_view about) {
      help.fields.push_back({std::string(key), std::string(about)});
    });
    kinds.push_back(std::move(help));
  });
  return kinds;
}

}  // namespace ridge
