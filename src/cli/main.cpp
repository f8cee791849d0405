#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <filesystem>
#include <functional>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/own_path.h"

extern char** environ;

namespace ridge::cli {
namespace {

Context make_context(int argc, char** argv) {
  Context context;
  context.argv.assign(argv, argv + argc);
  for (char** entry = environ; entry && *entry; ++entry) context.environment.emplace_back(*entry);
  const auto prefix = own_path(argv[0]).parent_path().parent_path();
  context.libexec = (prefix / "libexec" / "ridge").string();
  context.data = (prefix / "share" / "ridge" / "data").string();
  return context;
}

void add_format(CLI::App* command, std::string& format, const std::string& known) {
  command->add_option("-o,--format", format, "what is written to stdout: " + known)
      ->envname("RIDGE_FORMAT")
      ->capture_default_str();
}

void add_choice(CLI::App* command, Choice& choice) {
  const CLI::Option* suite =
      command->add_option("--suite", choice.suite, "a suite's name (`ridge list`) or a .json file")
          ->envname("RIDGE_SUITE")
          ->capture_default_str();
  const CLI::Option* work = command->add_option(
      "--work", choice.works,
      "one item as JSON, instead of a suite (not beside --suite): '{\"kind\": \"gemm\", …}'");
  // RIDGE_SUITE is a habit, which the others override; two of them typed is a mistake.
  command->final_callback([command, suite, work, &choice] {
    const auto& order = command->parse_order();
    const bool suite_typed = std::find(order.begin(), order.end(), suite) != order.end();
    const std::string model = choice.models.given();
    if (!model.empty() && (work->count() > 0 || suite_typed)) {
      throw CLI::ValidationError(fmt::format(
          "{} and {} exclude each other: models are measured with -m, or named in an item: "
          "{{\"kind\": \"prefill\", \"model\": \"qwen3-0.6b\", …}}",
          model, work->count() > 0 ? "--work" : "--suite"));
    }
    if (work->count() > 0 && suite_typed) {
      throw CLI::ValidationError(
          "--work stands in place of a suite: leave --suite out, or put the item into a suite's "
          ".json file");
    }
  });
  command
      ->add_option("--filter", choice.filter, "only rows whose key this regular expression finds")
      ->envname("RIDGE_FILTER");
  command->add_option("--worker", choice.workers, "only these workers; comma or repeat")
      ->delimiter(',')
      ->envname("RIDGE_WORKER");
  command->add_option("--device", choice.devices, "only these devices; comma or repeat")
      ->delimiter(',')
      ->envname("RIDGE_DEVICE");
  add_model_flags(command, choice.models);
}

// CLI::Range takes NaN for a number in any range.
std::string seconds_in_range(const std::string& text) {
  const auto seconds = parse_duration(text);
  if (seconds && *seconds >= 0.1 && *seconds <= 86400) return "";
  return fmt::format("'{}' does not lie in 0.1 to 86400 seconds", text);
}

void add_regression(CLI::App* command, std::optional<double>& percent) {
  command
      ->add_option_function<std::string>(
          "--fail-on-regression",
          [&percent](const std::string& text) { percent = text.empty() ? 0 : std::stod(text); },
          "with a baseline or a second run: exit with 4 where a row is SLOWER, or by more than "
          "this percentage")
      ->expected(0, 1)
      ->default_str("")
      ->check([](const std::string& text) -> std::string {
        return text.empty() ? "" : CLI::Range(0.0, 1e6)(std::string(text));
      });
}

void add_run(CLI::App& app, RunArgs& args) {
  CLI::App* command = app.add_subcommand("run", "measure this machine");
  add_choice(command, args.choice);
  add_format(command, args.format, std::string(kFormats));
  command->add_option("--save-baseline", args.save_baseline,
                      "keep the run under this name, to hold others against");
  command->add_option("--baseline", args.baseline, "compare with this saved run");
  add_regression(command, args.fail_on_regression);
  command->add_option("--budget", args.budget, "time to spend measuring, such as 90s or 5min")
      ->envname("RIDGE_BUDGET");
  command->add_flag("--fast", args.fast, "a third of the time, wider intervals");
  command->add_flag("--rigorous", args.rigorous, "four times the time, narrower intervals");
  command->add_option("-r,--rounds", args.rounds, "visits to each row, each in a fresh worker")
      ->envname("RIDGE_ROUNDS");
  command->add_option("--seed", args.seed, "of inputs and order")
      ->envname("RIDGE_SEED")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 62))
      ->capture_default_str();
  command->add_flag("--dry-run", args.dry_run, "show what would be measured");
  command->add_flag("--strict", args.strict, "exit with 3 where a row is unstable");
  command->add_option("--out", args.out, "folder of the run file")
      ->envname("RIDGE_OUT")
      ->capture_default_str();
  command->add_option("--deadline", args.deadline_s, "seconds a worker may take to answer")
      ->check(seconds_in_range)
      ->capture_default_str();
  command
      ->add_option(
          "--lock", args.lock,
          "file by which runs on one machine notice each other; share it between containers")
      ->envname("RIDGE_LOCK")
      ->capture_default_str();
}

void add_check(CLI::App& app, CheckArgs& args) {
  CLI::App* command =
      app.add_subcommand("check", "do the workers found here compute the right answers?");
  add_choice(command, args.choice);
  add_format(command, args.format, std::string(kFormats));
  command->add_option("--seed", args.seed, "of inputs")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 62))
      ->capture_default_str();
  command->add_option("--deadline", args.deadline_s, "seconds a worker may take to answer")
      ->check(seconds_in_range)
      ->capture_default_str();
}

void add_compare(CLI::App& app, CompareArgs& args) {
  CLI::App* command = app.add_subcommand("compare", "which is faster, by how much, how sure?");
  command->add_option("RUN", args.files, "run files, or folders of them; the first is the base");
  command
      ->add_option("--across", args.rule.across,
                   "what is meant to differ: worker, device, machine, dtype, version (which is "
                   "meant if none is named); comma or repeat")
      ->delimiter(',');
  command->add_option("--baseline", args.baseline, "hold the runs against this saved one");
  command->add_option("--save-baseline", args.save_baseline, "keep the runs under this name");
  command->add_option("--out", args.out, "folder that holds baselines/, and keeps what is measured")
      ->envname("RIDGE_OUT")
      ->capture_default_str();
  command->add_option("--band", args.rule.band_percent, "percent that matters to nobody")
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  add_regression(command, args.rule.fail_on_regression);
  add_format(command, args.rule.format, "md, json");
  command->add_flag("--live", args.live,
                    "measure two sides in turn, A B B A, on this machine; the options below say "
                    "what");
  command->add_option("--side", args.sides,
                      "KEY=VALUE[,KEY=VALUE…], twice: what is particular to A, and to B (worker, "
                      "device, form, threads, micro_batch, cache, timing, graph, backend, "
                      "build=FOLDER); without, A "
                      "is compared with itself");
  add_choice(command, args.choice);
  command->add_option("--budget", args.budget, "time to spend measuring, such as 90s or 5min")
      ->envname("RIDGE_BUDGET");
  command->add_option("-r,--rounds", args.rounds, "of A B B A, each in fresh workers; 3 to 500")
      ->capture_default_str();
  command->add_option("--seed", args.seed, "of inputs and order")
      ->envname("RIDGE_SEED")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 62))
      ->capture_default_str();
  command->add_option("--deadline", args.deadline_s, "seconds a worker may take to answer")
      ->check(seconds_in_range)
      ->capture_default_str();
  command->add_option("--lock", args.lock, "as for `ridge run`")
      ->envname("RIDGE_LOCK")
      ->capture_default_str();
}

void add_model(CLI::App& app, ModelArgs& args) {
  CLI::App* command = app.add_subcommand(
      "model", "a model's shape, parameters and bytes; with -o, a GGUF file of random weights");
  command->add_option(
      "MODEL", args.model,
      "a name, a GGUF file, a folder as Hugging Face has them, or a .json file; without "
      "it the names are listed");
  command
      ->add_option("--format", args.format, "of the weights that are written: " + model_formats())
      ->capture_default_str();
  command->add_option("-o,--output", args.file, "GGUF file to write, which llama.cpp loads");
  command->add_option("--seed", args.seed, "of the weights")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 62))
      ->capture_default_str();
  command->add_flag("--json", args.json, "print JSON");
}

void add_fit(CLI::App& app, FitArgs& args) {
  CLI::App* command = app.add_subcommand(
      "fit", "does a model fit? weights, KV cache and working buffers, as llama.cpp holds them");
  command->add_option("MODEL", args.model, "as for `ridge model`")->required();
  command
      ->add_option(
          "--memory", args.memories,
          "to fit into, such as 24GiB; comma or repeat; default: this host's and its GPUs'")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      ->add_option(
          "--formats", args.formats,
          "of the weights; comma or repeat; default: the file's, or all: " + model_formats())
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      ->add_option("--context", args.contexts,
                   "tokens of each sequence, such as 4096, 32k or max; comma or repeat")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--kv", args.kvs, "keys and values in f16, f32, bf16, q8_0; comma or repeat")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--batch", args.batch, "sequences")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 16))
      ->capture_default_str();
  command->add_option("--micro-batch", args.micro_batch, "tokens computed at a time")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  add_format(command, args.format, "md, json");
}

// Where a caller closed one of the three, the next file opened would take its number, and results
// would go into a run file. What takes it here can be neither read nor written in the wrong way.
void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int opened = ::open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
    if (opened >= 0 && opened != fd) ::close(opened);
  }
}

int dispatch(int argc, char** argv) {
  const Context context = make_context(argc, argv);
  CLI::App app{
      "Ridgepoint: what this machine can do for machine learning, and why.\n"
      "Results go to stdout, everything else to stderr. Exit codes: 0 ok, 1 a benchmark failed or\n"
      "was incorrect, 2 usage, 3 unstable with --strict, 4 slower with\n"
      "--fail-on-regression, 70 an error of ridge's own, 130 interrupted.\n"
      "RIDGE_WORKER_PATH names folders of further workers."};
  app.name("ridge");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);

  RunArgs run_args;
  CheckArgs check_args;
  CompareArgs compare_args;
  ListArgs list_args;
  InfoArgs info_args;
  ShowArgs show_args;
  ExplainArgs explain_args;
  ModelArgs model_args;
  FitArgs fit_args;
  add_run(app, run_args);
  CLI::App* info_command = app.add_subcommand("info", "what is this machine?");
  add_format(info_command, info_args.format, "md, json");
  CLI::App* list_command =
      app.add_subcommand("list", "workers, suites and kinds of work there are");
  list_command->add_option("--suite", list_args.suite, "the keys of this suite's items");
  add_format(list_command, list_args.format, "md, json");
  add_check(app, check_args);
  add_compare(app, compare_args);
  add_model(app, model_args);
  add_fit(app, fit_args);
  CLI::App* show_command = app.add_subcommand("show", "print stored runs");
  show_command->add_option("RUN", show_args.files, "run files, or folders of them")->required();
  add_format(show_command, show_args.format, std::string(kFormats));
  CLI::App* explain_command = app.add_subcommand(
      "explain", "what limits each row: the machine's own roofs, how near they are, what helps");
  explain_command
      ->add_option("RUN", explain_args.runs, "run files of one machine, or folders of them")
      ->required();
  add_format(explain_command, explain_args.format, "md, json");
  explain_command->add_flag(
      "--no-pictures", explain_args.no_pictures,
      "leave out the roofline and the caches drawn in characters (md; as wide "
      "as the terminal, ASCII without a UTF-8 locale)");

  if (const std::string why = not_taken(context.argv); !why.empty()) return complain(why, kUsage);
  std::vector<std::string> words = with_long_names({argv + std::min(argc, 1), argv + argc});
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);  // --help, --version
    }
    return complain(std::string(error.what()) + " (ridge --help tells more)", kUsage);
  }
  catch_signals();
  if (app.got_subcommand("run")) return run(run_args, context);
  if (app.got_subcommand("info")) return info(info_args, context);
  if (app.got_subcommand("list")) return list(list_args, context);
  if (app.got_subcommand("compare")) return compare(compare_args, context);
  if (app.got_subcommand("explain")) return explain(explain_args, context);
  if (app.got_subcommand("model")) return model(model_args, context);
  if (app.got_subcommand("fit")) return fit(fit_args, context);
  if (app.got_subcommand("check")) return check(check_args, context);
  return show(show_args, context);
}

}  // namespace
}  // namespace ridge::cli

int main(int argc, char** argv) try {
  ridge::cli::keep_standard_descriptors();
  return ridge::cli::dispatch(argc, argv);
} catch (const std::exception& error) {
  fmt::print(stderr, "ridge: internal error: {}\n", error.what());
  return 70;
}
