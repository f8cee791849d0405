#include "workload/model/fit.h"

#include <fmt/format.h>

#include "base/units.h"
#include "cli/commands.h"
#include "machine/machine.h"
#include "report/table.h"
#include "workload/model/find.h"
#include "workload/model/weights.h"

namespace ridge::cli {
namespace {

constexpr int64_t kContexts[] = {2048, 4096, 8192, 32768, 131072};
constexpr int64_t kMostContext = int64_t{1} << 24;

struct Room {
  std::string name;
  int64_t bytes = 0;
  bool is_gpu = false;  // which does not hold an embedding that the host gathers
};

struct Row {
  ModelUse use;
  int64_t context = 0;
  Holding held;
};

int64_t spare(const Room& room, const Holding& held) {
  return room.bytes - (room.is_gpu ? held.on_gpu() : held.total());
}

Result<std::vector<Room>> rooms(const FitArgs& args, const Context& context,
                                std::vector<std::string>& unknown) {
  std::vector<Room> out;
  for (const std::string& text : args.memories) {
    const auto bytes = parse_bytes(text);
    if (!bytes) return bytes.error().in("--memory");
    if (*bytes < 1) return Error{fmt::format("--memory '{}' is none", text)};
    out.push_back({show_bytes(*bytes), *bytes});
  }
  if (!out.empty()) return out;
  const Machine machine = discover({.environment = context.environment, .process_window_ms = 0});
  if (const auto host = usable_memory_bytes(machine)) {
    out.push_back({fmt::format("host, {}", show_bytes(*host)), *host});
  } else {
    unknown.push_back("memory of this host: " + host.reason);
  }
  for (const NvidiaDevice& device : machine.nvidia.devices) {
    const std::string name = fmt::format("gpu:{}", device.index);
    if (const auto& all = device.memory_total_bytes) {
      out.push_back({fmt::format("{}, {}", name, show_bytes(*all)), *all, true});
    } else {
      unknown.push_back(fmt::format("memory of {}: {}", name, all.reason));
    }
  }
  return out;
}

template <class E>
Result<std::vector<E>> chosen(const std::vector<std::string>& texts, std::string_view flag) {
  std::vector<E> out;
  for (const std::string& text : texts) {
    const auto value = parse_choice<E>(text);
    if (!value) {
      return Error{
          fmt::format("{} '{}' (known: {})", flag, text, fmt::join(choices(E{}).names, ", "))};
    }
    out.push_back(*value);
  }
  return out;
}

// As asked for, or the usual ones up to the longest that the model knows.
Result<std::vector<int64_t>> contexts(const FitArgs& args, const ModelConfig& model) {
  std::vector<int64_t> out;
  for (const std::string& text : args.contexts) {
    const auto tokens =
        text == "max"
            ? Result<int64_t>(model.max_position_embeddings)
            : parse_bytes(text.ends_with('k') ? text.substr(0, text.size() - 1) + "KiB" : text);
    if (!tokens || *tokens < 1 || *tokens > kMostContext) {
      return Error{fmt::format("--context '{}' is no number of tokens from 1 to {}, nor max", text,
                               kMostContext)};
    }
    out.push_back(*tokens);
  }
  if (!out.empty()) return out;
  for (const int64_t tokens : kContexts) {
    if (tokens < model.max_position_embeddings) out.push_back(tokens);
  }
  out.push_back(model.max_position_embeddings);
  return out;
}

Result<std::vector<Row>> rows(const FitArgs& args, const FoundModel& found) {
  auto formats = chosen<ModelFormat>(args.formats, "--formats");
  auto caches = chosen<KvFormat>(args.kvs, "--kv");
  auto lengths = contexts(args, found.model);
  if (!formats) return formats.error();
  if (!caches) return caches.error();
  if (!lengths) return lengths.error();
  std::vector<ModelUse> uses;
  const ModelUse base{.model = found.model, .batch = args.batch};
  if (formats->empty() && found.file) {
    uses.push_back(base);
    uses.back().file = found.file;
  } else if (formats->empty()) {
    *formats = every_choice<ModelFormat>();
  }
  for (const ModelFormat format : *formats) {
    if (auto can = storable(found.model, format); !can) {
      if (!args.formats.empty()) return can.error();
      continue;
    }
    uses.push_back(base);
    uses.back().format = format;
  }
  std::vector<Row> out;
  for (ModelUse& use : uses) {
    for (const KvFormat kv : *caches) {
      use.kv = kv;
      for (const int64_t length : *lengths) {
        out.push_back({use, length, holding(use, length, args.micro_batch)});
      }
    }
  }
  return out;
}

Json to_json(const FitArgs& args, const FoundModel& found, const std::vector<Room>& rooms,
             const std::vector<Row>& rows) {
  Json out = Json::object(), schema = Json::object(), room_list = Json::array(),
       row_list = Json::array();
  schema.set("name", "ridgepoint-fit").set("version", "1.0.0");
  out.set("schema", std::move(schema)).set("model", found.model.name);
  out.set("parameters", parameters(found.model).all);
  out.set("batch", args.batch).set("micro_batch", args.micro_batch);
  for (const Room& room : rooms) {
    Json entry = Json::object();
    entry.set("name", room.name).set("bytes", room.bytes).set("is_gpu", room.is_gpu);
    room_list.push(std::move(entry));
  }
  for (const Row& row : rows) {
    Json entry = Json::object(), fits = Json::array();
    entry.set("format", format_name(row.use)).set("kv", name(row.use.kv));
    entry.set("context", row.context).set("weight_bytes", row.held.weights);
    entry.set("gathered_bytes", row.held.gathered).set("kv_bytes", row.held.kv);
    entry.set("working_bytes", row.held.working).set("input_bytes", row.held.inputs);
    entry.set("activation_bytes", row.held.activations).set("logits_bytes", row.held.logits);
    entry.set("output_bytes", row.held.outputs).set("total_bytes", row.held.total());
    for (const Room& room : rooms) {
      Json one = Json::object();
      const int64_t left = spare(room, row.held);
      one.set("fits", left >= 0).set("spare_bytes", left);
      one.set("longest_context",
              longest_context(row.use, args.micro_batch, room.bytes, room.is_gpu));
      fits.push(std::move(one));
    }
    entry.set("fits", std::move(fits));
    row_list.push(std::move(entry));
  }
  out.set("memories", std::move(room_list)).set("rows", std::move(row_list));
  return out;
}

std::string markdown(const FitArgs& args, const FoundModel& found, const std::vector<Room>& rooms,
                     const std::vector<Row>& rows) {
  std::vector<std::string> header = {"weights in", "KV in",   "context", "weights",
                                     "KV",         "working", "total"};
  std::vector<bool> right = {false, false, true, true, true, true, true};
  for (const Room& room : rooms) header.push_back(room.name), right.push_back(true);
  Table table(header, right);
  for (const Row& row : rows) {
    std::vector<std::string> cells = {format_name(row.use),        std::string(name(row.use.kv)),
                                      std::to_string(row.context), show_bytes(row.held.weights),
                                      show_bytes(row.held.kv),     show_bytes(row.held.working),
                                      show_bytes(row.held.total())};
    for (const Room& room : rooms) {
      const int64_t left = spare(room, row.held);
      cells.push_back(left >= 0 ? fmt::format("yes, {} left", show_bytes(left))
                                : fmt::format("no, by {}", show_bytes(-left)));
    }
    table.add(std::move(cells));
  }
  std::string out = fmt::format("{}: {} parameters; {} sequence{}, {} tokens at a time\n\n{}\n",
                                found.model.name, parameters(found.model).all, args.batch,
                                args.batch == 1 ? "" : "s", args.micro_batch, table.markdown());
  if (!rooms.empty()) {
    std::vector<std::string> head = {"weights in", "KV in"};
    for (const Room& room : rooms) head.push_back(room.name);
    Table most(head, std::vector<bool>(head.size(), true));
    const ModelUse* before = nullptr;
    for (const Row& row : rows) {
      if (before && *before == row.use) continue;
      before = &row.use;
      std::vector<std::string> cells = {format_name(row.use), std::string(name(row.use.kv))};
      for (const Room& room : rooms) {
        const int64_t tokens = longest_context(row.use, args.micro_batch, room.bytes, room.is_gpu);
        cells.push_back(tokens == 0 ? "none"
                        : tokens == found.model.max_position_embeddings
                            ? fmt::format("{}, all it knows", tokens)
                            : std::to_string(tokens));
      }
      most.add(std::move(cells));
    }
    out += "Longest context that fits, tokens a sequence:\n\n" + most.markdown() + "\n";
  }
  const Holding& held = rows.front().held;
  out += fmt::format(
      "Working buffers, the most at a time: inputs (embedded tokens, a mask of {} rows and a "
      "column "
      "a token of\ncontext) and, beside them, the widest layer's activations or {} rows of {} "
      "logits (f32, {}).\n",
      args.micro_batch, args.micro_batch, found.model.vocab_size, show_bytes(held.logits));
  if (held.gathered > 0) {
    out += "Of a GPU's the embedding is no part: its rows are gathered on the host.\n";
  }
  return out;
}

}  // namespace

int fit(const FitArgs& args, const Context& context) {
  const auto format = parse_format(args.format);
  if (!format || *format == Format::csv || *format == Format::jsonl) {
    return complain(fmt::format("fit: --format '{}' (known: md, json)", args.format), kUsage);
  }
  const auto found = find_model(args.model, context.data);
  if (!found) return complain(found.error().message, kUsage);
  std::vector<std::string> unknown;
  const auto room_list = rooms(args, context, unknown);
  if (!room_list) return complain(room_list.error().message, kUsage);
  const auto row_list = rows(args, *found);
  if (!row_list) return complain(row_list.error().message, kUsage);
  for (const std::string& what : unknown) complain("not known: " + what, kOk);
  const bool json = *format == Format::json;
  const std::string text = json ? to_json(args, *found, *room_list, *row_list).dump(2) + "\n"
                                : markdown(args, *found, *room_list, *row_list);
  return print_result(text) ? kOk : kFailed;
}

}  // namespace ridge::cli
