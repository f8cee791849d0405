#include <fmt/format.h>

#include <filesystem>

#include "base/units.h"
#include "cli/commands.h"
#include "report/table.h"
#include "workload/fields.h"
#include "workload/model/find.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/weights.h"

namespace ridge::cli {
namespace {

std::string count_text(int64_t count) {
  return count >= 1'000'000'000 ? fmt::format("{:.2f} G", static_cast<double>(count) * 1e-9)
                                : fmt::format("{:.1f} M", static_cast<double>(count) * 1e-6);
}

// Bytes of the weights in a format; nullopt where the rows do not go into its blocks.
std::optional<WeightBytes> bytes_in(const ModelConfig& model, ModelFormat format) {
  if (!storable(model, format)) return std::nullopt;
  return weight_bytes(model, format);
}

Json to_json(const FoundModel& found) {
  const ModelConfig& model = found.model;
  const Parameters count = parameters(model);
  Json out = Json::object(), bytes = Json::object(), kv = Json::object();
  out.set("model", ridge::to_json(model));
  out.set("parameters", count.all).set("active_parameters", count.active);
  out.set("embedding_parameters", count.embedding);
  for (const ModelFormat format : every_choice<ModelFormat>()) {
    if (const auto in = bytes_in(model, format)) bytes.set(name(format), in->all());
  }
  for (const KvFormat format : every_choice<KvFormat>()) {
    kv.set(name(format), kv_bytes_per_token(model, format));
  }
  out.set("weight_bytes", std::move(bytes)).set("kv_bytes_per_token", std::move(kv));
  if (found.file) {
    Json beyond = Json::array();
    for (const std::string& what : found.beyond) beyond.push(what);
    out.set("file", field_json(*found.file)).set("beyond_the_configuration", std::move(beyond));
  }
  return out;
}

std::string markdown(const FoundModel& found) {
  const ModelConfig& model = found.model;
  const Parameters count = parameters(model);
  std::string out;
  const Json json = ridge::to_json(model);
  Table shape({"field", "value"}, {false, true});
  for (const auto& [key, value] : json.as_object()) {
    shape.add({key, value.is_string() ? value.as_string() : value.dump()});
  }
  out += shape.markdown();
  out += fmt::format("\n{} parameters", count.all);
  if (count.active != count.all)
    out += fmt::format(", {} of them active for a token", count.active);
  out += fmt::format("; {} in the embedding.\n\n", count.embedding);
  if (found.file) {
    const ModelFile& file = *found.file;
    out += fmt::format("{} holds {}: {} of matrices, {} of an embedding, {} of experts.\n",
                       file.path, file.label, show_bytes(file.matrix_bytes),
                       show_bytes(file.embedding_bytes), show_bytes(file.expert_bytes));
    if (!found.beyond.empty()) {
      out += fmt::format("It has what the table above does not tell: {}.\n",
                         fmt::join(found.beyond, ", "));
    }
    out += "\n";
  }
  Table formats({"format", "weights", "bytes", "bits a parameter"}, {false, true, true, true});
  for (const ModelFormat format : every_choice<ModelFormat>()) {
    const auto bytes = bytes_in(model, format);
    if (!bytes) continue;
    const double bits = 8 * static_cast<double>(bytes->all()) / static_cast<double>(count.all);
    formats.add({std::string(name(format)), show_bytes(bytes->all()), std::to_string(bytes->all()),
                 fmt::format("{:.2f}", bits)});
  }
  out += formats.markdown() + "\n";
  Table kv({"keys and values", "bytes a token"}, {false, true});
  for (const KvFormat format : every_choice<KvFormat>()) {
    kv.add({std::string(name(format)), std::to_string(kv_bytes_per_token(model, format))});
  }
  return out + kv.markdown();
}

Result<std::string> overview(const Context& context, bool json) {
  Table table({"model", "type", "parameters", "active", "f16", "q4_k_m", "KV a token (f16)"},
              {false, false, true, true, true, true, true});
  Json all = Json::array();
  for (const std::string& name : model_names(context.data)) {
    auto found = find_model(name, context.data);
    if (!found) return found.error();
    const ModelConfig& model = found->model;
    const Parameters count = parameters(model);
    table.add({name, std::string(ridge::name(model.model_type)), count_text(count.all),
               count.active == count.all ? "" : count_text(count.active),
               show_bytes(weight_bytes(model, ModelFormat::f16).all()),
               show_bytes(weight_bytes(model, ModelFormat::q4_k_m).all()),
               show_bytes(kv_bytes_per_token(model, KvFormat::f16))});
    all.push(to_json(*found));
  }
  return json ? all.dump(2) + "\n" : table.markdown();
}

int write(const ModelArgs& args, const FoundModel& found) {
  const auto format = parse_choice<ModelFormat>(args.format);
  if (!format) {
    return complain(fmt::format("model: --format '{}' (known: {})", args.format, model_formats()),
                    kUsage);
  }
  std::error_code error;
  if (found.file && std::filesystem::equivalent(found.file->path, args.file, error)) {
    return complain("model: -o would overwrite the file that was read", kUsage);
  }
  const auto done = write_model(args.file, found.model, *format, args.seed);
  if (!done) return complain(done.error().message, kFailed);
  return print_result(fmt::format(
             "{}: {} in {}, random weights of seed {}, {}\n", args.file, found.model.name,
             args.format, args.seed,
             show_bytes(static_cast<int64_t>(std::filesystem::file_size(args.file, error)))))
             ? kOk
             : kFailed;
}

}  // namespace

std::string model_formats() {
  return fmt::format("{}", fmt::join(choices(ModelFormat{}).names, ", "));
}

int model(const ModelArgs& args, const Context& context) {
  if (args.model.empty()) {
    if (!args.file.empty()) return complain("model: -o needs a MODEL", kUsage);
    const auto text = overview(context, args.json);
    if (!text) return complain(text.error().message, kFailed);
    return print_result(*text) ? kOk : kFailed;
  }
  const auto found = find_model(args.model, context.data);
  if (!found) return complain(found.error().message, kUsage);
  if (!args.file.empty()) return write(args, *found);
  return print_result(args.json ? to_json(*found).dump(2) + "\n" : markdown(*found)) ? kOk
                                                                                     : kFailed;
}

}  // namespace ridge::cli
