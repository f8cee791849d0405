#include "cli/model_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>

#include "workload/model/cost.h"

namespace ridge::cli {
namespace {

using Texts = ModelFlags::Texts;

constexpr int64_t kMostNumber = 1 << 24;
constexpr size_t kMostNumbers = 1000;
constexpr size_t kMostRows = 2000;
constexpr int64_t kLogicalBatch = 2048;  // llama-bench's default

// "first", "first-last", "first-last+step" or "first-last*factor".
bool parse_range(std::string_view text, std::vector<int64_t>& out) {
  const auto take = [&](int64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool digits = !text.empty() && text.front() != '-';
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return digits && error == std::errc() && number <= kMostNumber;
  };
  int64_t first = 0, step = 1;
  if (!take(first)) return false;
  int64_t last = first;
  bool multiplies = false;
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    if (!take(last)) return false;
    if (text.starts_with('+') || text.starts_with('*')) {
      multiplies = text.front() == '*';
      text.remove_prefix(1);
      if (!take(step)) return false;
    }
  }
  if (!text.empty() || last < first) return false;
  for (int64_t i = first; i <= last;) {
    if (out.size() == kMostNumbers) return false;
    out.push_back(i);
    const int64_t next = multiplies ? i * step : i + step;
    if (next <= i && i < last) return false;  // it would never end
    if (next <= i) break;
    i = next;
  }
  return true;
}

Texts split(const Texts& texts) {
  Texts out;
  for (const std::string& text : texts) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      out.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return out;
}

Result<std::vector<int64_t>> numbers_or(const Texts& texts, const std::string& where,
                                        int64_t otherwise) {
  if (texts.empty()) return std::vector<int64_t>{otherwise};
  return parse_numbers(texts, where);
}

template <class E>
Result<std::vector<E>> names_or(const Texts& texts, const std::string& where, E otherwise) {
  if (texts.empty()) return std::vector<E>{otherwise};
  std::vector<E> out;
  for (const std::string& text : split(texts)) {
    std::string small = text;
    for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const auto found = parse_choice<E>(small);
    if (!found) {
      return Error{
          fmt::format("{} '{}' (known: {})", where, text, fmt::join(choices(E{}).names, ", "))};
    }
    out.push_back(*found);
  }
  return out;
}

Result<std::vector<std::string>> backends_of(const Texts& texts) {
  if (texts.empty()) return std::vector<std::string>{""};
  std::vector<std::string> out;
  for (const std::string& text : split(texts)) {
    if (text == "0" || text == "off") {
      out.emplace_back("unfused");
    } else if (text == "1" || text == "on") {
      out.emplace_back("flash");
    } else if (text == "auto") {
      out.emplace_back();
    } else {
      return Error{fmt::format("-fa '{}' (known: 0, 1, auto)", text)};
    }
  }
  return out;
}

Result<std::vector<KvFormat>> caches_of(const ModelFlags& flags) {
  auto keys = names_or(flags.keys, "-ctk", KvFormat::f16);
  if (!keys) return keys.error();
  auto values = names_or(flags.values, "-ctv", KvFormat::f16);
  if (!values) return values.error();
  if (*keys != *values) {
    return Error{"keys and values are stored alike here: give -ctk and -ctv the same types"};
  }
  return keys;
}

// Of how many tokens at a time: -b bounds -ub, and is otherwise only how llama-bench hands a prompt
// over, in pieces.
Result<std::vector<int>> micro_batches(const ModelFlags& flags) {
  auto logical = numbers_or(flags.logical_batch, "-b", kLogicalBatch);
  if (!logical) return logical.error();
  auto micro = numbers_or(flags.micro_batch, "-ub", kMicroBatch);
  if (!micro) return micro.error();
  std::vector<int> out;
  for (const int64_t b : *logical) {
    for (const int64_t ub : *micro) {
      if (b < 1 || ub < 1 || ub > (1 << 20)) {
        return Error{"-b and -ub must be above 0, -ub at most 1048576"};
      }
      if (b > ub && b % ub != 0) {
        return Error{fmt::format(
            "-b {} is no multiple of -ub {}: its pieces would end in smaller ones; give -b a "
            "multiple, or leave it out",
            b, ub)};
      }
      const int64_t size = std::min(b, ub);
      const int set = size == kMicroBatch ? 0 : static_cast<int>(size);
      if (std::find(out.begin(), out.end(), set) == out.end()) out.push_back(set);
    }
  }
  return out;
}

struct Pair {
  int64_t prompt = 0, generate = 0;
};
Result<std::vector<Pair>> pairs_of(const Texts& texts) {
  std::vector<Pair> out;
  for (const std::string& text : texts) {
    const auto numbers = parse_numbers({text}, "-pg");
    if (!numbers || numbers->size() != 2 || (*numbers)[0] < 1 || (*numbers)[1] < 1) {
      return Error{fmt::format("-pg '{}' is not PROMPT,GENERATE, such as 512,128", text)};
    }
    out.push_back({(*numbers)[0], (*numbers)[1]});
  }
  return out;
}

// One of -m with each of --weights; a file brings its own.
Result<std::vector<ModelUse>> uses_of(const ModelFlags& flags, const ModelLookup& models) {
  auto formats = names_or(flags.weights, "--weights", ModelFormat::f16);
  if (!formats) return formats.error();
  std::vector<ModelUse> out;
  bool synthetic = false;
  for (const std::string& text : split(flags.models)) {
    if (text.empty()) return Error{"-m names no model: give a name, a file or a folder"};
    auto found = models(text);
    if (!found) return found.error();
    if (found->file) {
      out.push_back(*found);
      continue;
    }
    synthetic = true;
    for (const ModelFormat format : *formats) {
      found->format = format;
      out.push_back(*found);
    }
  }
  if (!flags.weights.empty() && !synthetic) {
    return Error{fmt::format(
        "--weights chooses what synthetic weights are stored in, and {} brings its own: leave it "
        "out, or name a model (mistral-7b) in place of the file",
        fmt::join(flags.models, ","))};
  }
  return out;
}

struct Tests {
  std::vector<int64_t> prompt, generate;
  std::vector<Pair> both;
  std::vector<CacheMode> load;
};

Result<std::vector<CacheMode>> loads_of(const Texts& texts) {
  std::vector<CacheMode> out;
  if (texts.empty()) return out;
  for (const std::string& text : split(texts)) {
    if (text != "cold" && text != "hot") {
      return Error{fmt::format(
          "--load '{}' (known: cold, nothing of the file is in the page cache; hot, all of it is)",
          text)};
    }
    out.push_back(text == "cold" ? CacheMode::cold : CacheMode::hot);
  }
  return out;
}

Result<Tests> tests_of(const ModelFlags& flags) {
  // As in llama-bench, -pg alone does not take the default tests away.
  auto prompt = numbers_or(flags.prompt, "-p", 512);
  if (!prompt) return prompt.error();
  auto generate = numbers_or(flags.generate, "-n", 128);
  if (!generate) return generate.error();
  auto both = pairs_of(flags.both);
  if (!both) return both.error();
  auto load = loads_of(flags.load);
  if (!load) return load.error();
  Tests tests{*std::move(prompt), *std::move(generate), *std::move(both), *std::move(load)};
  std::erase(tests.prompt, 0);
  std::erase(tests.generate, 0);
  if (tests.prompt.empty() && tests.generate.empty() && tests.both.empty() && tests.load.empty()) {
    return Error{"-p 0 -n 0 leaves nothing to do: give one of them tokens, or --load"};
  }
  return tests;
}

Settings hot_alone() {
  Settings settings;
  settings.cache = CacheMode::hot;
  settings.timing = Timing::isolated;
  return settings;
}

struct Case {
  ModelUse use;
  Settings settings;
};

// Every case with every value, the values fastest; false: too many.
template <class T, class Set>
bool cross(std::vector<Case>& cases, const std::vector<T>& values, Set&& set) {
  if (cases.size() * values.size() > kMostRows) return false;
  std::vector<Case> out;
  for (const Case& one : cases) {
    for (const T& value : values) {
      out.push_back(one);
      set(out.back(), value);
    }
  }
  cases = std::move(out);
  return true;
}

std::vector<Workload> works_of(const ModelUse& use, const Tests& tests) {
  std::vector<Workload> out;
  for (const int64_t tokens : tests.prompt) out.push_back(Prefill{use, tokens});
  for (const int64_t tokens : tests.generate) out.push_back(Decode{use, tokens});
  for (const Pair& pair : tests.both) {
    ModelUse after = use;
    after.depth += pair.prompt;
    out.push_back(Prefill{use, pair.prompt});
    out.push_back(Decode{after, pair.generate});
  }
  return out;
}

// Read as a suite's items are: by one parser, with its errors. What stands there already is not
// added again.
Result<void> add(const Workload& work, const Settings& settings, Suite& suite) {
  auto valid = parse_workload(to_json(work), "-m");
  if (!valid) return valid.error();
  auto set = parse_settings(to_json(settings), "-m");
  if (!set) return set.error();
  const std::string key = work_key(*valid) + "@" + settings_key(*set);
  for (const SuiteItem& item : suite.items) {
    if (work_key(item.work) + "@" + settings_key(item.settings) != key) continue;
    if (item.work == *valid) return {};
    return Error{fmt::format(
        "two of the models are both called {}: measure them in runs of their own", key)};
  }
  suite.items.push_back({*valid, *set});
  return {};
}

struct Flag {
  const char* names;
  Texts ModelFlags::*into;
  const char* about;
};
constexpr std::array<Flag, 14> kFlags = {{
    {"-m,--model", &ModelFlags::models,
     "models: names (`data/models`), GGUF files, Hugging Face folders; instead of a suite"},
    {"--weights", &ModelFlags::weights,
     "what synthetic weights are stored in: f32, f16 (default), bf16, q8_0, q4_0, q4_k_m, q6_k"},
    {"-p,--n-prompt", &ModelFlags::prompt, "tokens of a prompt (pp512); default 512, 0: none"},
    {"-n,--n-gen", &ModelFlags::generate, "tokens generated (tg128); default 128, 0: none"},
    {"--pg", &ModelFlags::both,
     "-pg PROMPT,GENERATE: a prompt, and as a row of its own what follows it"},
    {"-d,--n-depth", &ModelFlags::depth, "tokens that the cache holds beforehand; default 0"},
    {"-b,--batch-size", &ModelFlags::logical_batch, "bounds -ub; default 2048"},
    {"--ubatch-size", &ModelFlags::micro_batch, "-ub: tokens computed at a time; default 512"},
    {"-t,--threads", &ModelFlags::threads, "default 0: one a physical core"},
    {"--cache-type-k", &ModelFlags::keys, "-ctk: f16 (default), f32, bf16, q8_0"},
    {"--cache-type-v", &ModelFlags::values, "-ctv: the same as -ctk"},
    {"--flash-attn", &ModelFlags::flash, "-fa: 0, 1 or auto (default: the library's choice)"},
    {"--parallel", &ModelFlags::sequences, "-np: sequences at a time; default 1"},
    {"--load", &ModelFlags::load,
     "load the model too, from its file to a first answer: page cache cold, hot or both"},
}};

// "-p", "-ub": as people know a flag.
std::string known_as(const Flag& flag) {
  const std::string about = flag.about, names = flag.names;
  if (about.starts_with('-')) return about.substr(0, about.find_first_of(": "));
  return names.substr(0, names.find(','));
}

// Where nothing but loads is left, flags of the rest would do nothing.
Result<void> fit_for_loads(const ModelFlags& flags, const Tests& tests) {
  if (!tests.prompt.empty() || !tests.generate.empty() || !tests.both.empty()) return {};
  for (const Flag& flag : kFlags) {
    const auto of_loads = {&ModelFlags::models,   &ModelFlags::weights, &ModelFlags::prompt,
                           &ModelFlags::generate, &ModelFlags::threads, &ModelFlags::load};
    if ((flags.*flag.into).empty()) continue;
    if (std::find(of_loads.begin(), of_loads.end(), flag.into) != of_loads.end()) continue;
    return Error{fmt::format("{} says nothing of loading a model: leave it out", known_as(flag))};
  }
  return {};
}

}  // namespace

std::string ModelFlags::given() const {
  for (const Flag& flag : kFlags) {
    if (!(this->*flag.into).empty()) return known_as(flag);
  }
  return "";
}

void add_model_flags(CLI::App* command, ModelFlags& flags) {
  for (const Flag& flag : kFlags) {
    command->add_option(flag.names, flags.*flag.into, flag.about)
        ->allow_extra_args(false)
        ->group("Models, as llama-bench (lists by comma or repeat; 1-8, 0-4096+1024, 1-64*2)");
  }
}

std::vector<std::string> with_long_names(std::vector<std::string> argv) {
  constexpr std::array<std::pair<std::string_view, const char*>, 7> kLong = {
      {{"-pg", "--pg"},
       {"-ub", "--ubatch-size"},
       {"-ctk", "--cache-type-k"},
       {"-ctv", "--cache-type-v"},
       {"-fa", "--flash-attn"},
       {"-np", "--parallel"},
       {"-npl", "--parallel"}}};
  for (std::string& word : argv) {
    for (const auto& [known, name] : kLong) {
      if (word == known) word = name;
    }
  }
  return argv;
}

std::string not_taken(const std::vector<std::string>& argv) {
  constexpr const char* kDevice = "a row runs on one device, chosen with --device";
  constexpr const char* kDownload = "nothing is downloaded: name a file with -m";
  constexpr std::array<std::pair<std::string_view, const char*>, 14> kNot = {
      {{"-ngl", kDevice},
       {"--n-gpu-layers", kDevice},
       {"-sm", kDevice},
       {"--split-mode", kDevice},
       {"-mg", kDevice},
       {"--main-gpu", kDevice},
       {"-ts", kDevice},
       {"--tensor-split", kDevice},
       {"-hf", kDownload},
       {"--hf-repo", kDownload},
       {"--delay", "a pause between samples would let the clocks fall"},
       {"--no-warmup", "warm-up is found in what was measured, and left out"},
       {"--list-devices", "`ridge list` names them"},
       {"--repetitions", "it is -r or --rounds here"}}};
  for (const std::string& word : argv) {
    for (const auto& [flag, instead] : kNot) {
      if (word == flag) return fmt::format("{} is not taken: {}", flag, instead);
    }
  }
  return "";
}

Result<std::vector<int64_t>> parse_numbers(const Texts& texts, const std::string& where) {
  std::vector<int64_t> out;
  for (const std::string& text : split(texts)) {
    if (!parse_range(text, out)) {
      return Error{fmt::format(
          "{} '{}' is no number nor range: write 512, 1,2,4, 1-4, 0-4096+1024 or 1-64*2 (up to {}, "
          "{} in all)",
          where, text, kMostNumber, kMostNumbers)};
    }
  }
  return out;
}

Result<Suite> suite_of_models(const ModelFlags& flags, const ModelLookup& models) {
  if (flags.models.empty()) {
    return Error{fmt::format(
        "{} says what a model is to do: name one with -m, such as -m mistral-7b", flags.given())};
  }
  auto uses = uses_of(flags, models);
  if (!uses) return uses.error();
  auto tests = tests_of(flags);
  if (!tests) return tests.error();
  auto caches = caches_of(flags);
  if (!caches) return caches.error();
  auto backends = backends_of(flags.flash);
  if (!backends) return backends.error();
  auto micro = micro_batches(flags);
  if (!micro) return micro.error();
  auto threads = numbers_or(flags.threads, "-t", 0);
  if (!threads) return threads.error();
  auto depths = numbers_or(flags.depth, "-d", 0);
  if (!depths) return depths.error();
  auto sequences = numbers_or(flags.sequences, "-np", 1);
  if (!sequences) return sequences.error();

  if (auto fit = fit_for_loads(flags, *tests); !fit) return fit.error();

  std::vector<Case> cases;
  for (const ModelUse& use : *uses) cases.push_back({use, hot_alone()});
  const bool few =
      cross(cases, *micro, [](Case& c, int size) { c.settings.micro_batch = size; }) &&
      cross(cases, *caches, [](Case& c, KvFormat kv) { c.use.kv = kv; }) &&
      cross(cases, *backends, [](Case& c, const std::string& b) { c.settings.backend = b; }) &&
      cross(cases, *threads,
            [](Case& c, int64_t n) { c.settings.threads = static_cast<int>(n); }) &&
      cross(cases, *sequences, [](Case& c, int64_t n) { c.use.batch = n; }) &&
      cross(cases, *depths, [](Case& c, int64_t n) { c.use.depth = n; });
  Suite suite;
  suite.name = "models";
  suite.seconds_per_row = 8;
  suite.most_seconds = 900;
  suite.rounds = 3;
  for (const Case& one : cases) {
    if (!few) break;
    for (const Workload& work : works_of(one.use, *tests)) {
      if (auto added = add(work, one.settings, suite); !added) return added.error();
    }
  }
  for (const ModelUse& use : *uses) {
    if (!few) break;
    for (const int64_t n : *threads) {
      for (const CacheMode cache : tests->load) {
        Settings settings = hot_alone();
        settings.cache = cache;
        settings.threads = static_cast<int>(n);
        if (auto added = add(LoadModel{use, kLoadPrompt}, settings, suite); !added) {
          return added.error();
        }
      }
    }
  }
  if (!few || suite.items.size() > kMostRows) {
    return Error{fmt::format("more than {} rows: give fewer numbers", kMostRows)};
  }
  return suite;
}

}  // namespace ridge::cli
