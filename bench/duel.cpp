#include "duel.h"

#include <fmt/format.h>
#include <omp.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "base/units.h"

namespace ridge::bench {
namespace {

constexpr double kDeadline = 300;
constexpr uint64_t kSeed = 1;

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

template <class T>
T take(Result<T> result) {
  if (!result) stop(result.error().message);
  return *std::move(result);
}

double now_ns() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double median(std::vector<double> values) {
  if (values.empty()) stop("a turn gave no samples");
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// A turn of one side. The first fifth of the samples is warm-up, on both sides alike.
std::vector<double> settled(std::vector<double> samples) {
  samples.erase(samples.begin(), samples.begin() + static_cast<int64_t>(samples.size() / 5));
  return samples;
}

// One thread a core while it lives; afterwards none but this one, free to go anywhere.
class PinnedTeam {
 public:
  explicit PinnedTeam(int threads) {
    sched_getaffinity(0, sizeof before_, &before_);
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) cpus.push_back(cpu);
    }
    // Siblings of a core are numbered far apart on Linux; the worker pins by topology.
    omp_set_num_threads(threads);
#pragma omp parallel num_threads(threads)
    {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpus[static_cast<size_t>(omp_get_thread_num()) % cpus.size()], &one);
      sched_setaffinity(0, sizeof one, &one);
    }
  }
  ~PinnedTeam() {
    omp_pause_resource_all(omp_pause_soft);
    sched_setaffinity(0, sizeof before_, &before_);
  }
  PinnedTeam(const PinnedTeam&) = delete;
  PinnedTeam& operator=(const PinnedTeam&) = delete;

 private:
  cpu_set_t before_;
};

std::vector<double> direct_turn(const Direct& direct, int64_t copies, int64_t ops_per_sample,
                                int threads, double block_ns) {
  const PinnedTeam team(threads);
  for (int64_t copy = 0; copy < copies; ++copy) direct.run(copy);  // the harness fills all copies
  std::vector<double> samples;
  int64_t ops = 0;
  const double started = now_ns();
  do {
    const double begin = now_ns();
    for (int64_t i = 0; i < ops_per_sample; ++i) direct.run(ops++ % copies);
    samples.push_back((now_ns() - begin) / static_cast<double>(ops_per_sample));
  } while (now_ns() - started < block_ns);
  return samples;
}

std::vector<double> harness_turn(Client& client, int64_t handle, int64_t ops_per_sample,
                                 uint64_t salt, double block_ns) {
  std::vector<double> samples;
  take(client.time(
      {.handle = handle,
       .salt = salt,
       .ops_per_sample = ops_per_sample,
       .most_samples = 1000000,
       .most_ns = block_ns},
      [&](const protocol::Samples& batch) {
        for (const double ns : batch.host_ns) {
          samples.push_back(ns / static_cast<double>(ops_per_sample));
        }
        return true;
      },
      kDeadline));
  if (auto parked = client.park(kDeadline); !parked) stop(parked.error().message);
  return samples;
}

// Ops that take about a millisecond, at which the clock and the loop no longer count.
int64_t ops_for(const Direct& direct, int64_t copies, int threads) {
  const PinnedTeam team(threads);
  for (int64_t copy = 0; copy < copies; ++copy) direct.run(copy);
  int64_t ops = 1;
  while (true) {
    const double begin = now_ns();
    for (int64_t i = 0; i < ops; ++i) direct.run(i % copies);
    const double took = now_ns() - begin;
    if (took > 1e6 || ops > 1000000) return ops;
    ops = took < 1e5 ? ops * 10 : static_cast<int64_t>(static_cast<double>(ops) * 1.2e6 / took) + 1;
  }
}

std::vector<double> joined(const std::vector<std::vector<double>>& turns) {
  std::vector<double> all;
  for (const auto& turn : turns) all.insert(all.end(), turn.begin(), turn.end());
  return all;
}

}  // namespace

Options Options::parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--small-pages") {
      options.small_pages = true;
      continue;
    }
    if (flag == "--sessions") {
      options.sessions = std::max(1, std::atoi(value));
    } else if (flag == "--rounds") {
      options.rounds = std::max(1, std::atoi(value));
    } else if (flag == "--block-ms") {
      options.block_ms = std::max(1.0, std::atof(value));
    } else if (flag == "--threads") {
      options.threads = std::max(0, std::atoi(value));
    } else if (flag == "--filter") {
      options.filter = value;
    } else {
      stop(
          fmt::format("usage: {} [--sessions N] [--rounds N] [--block-ms N] [--filter TEXT] "
                      "[--small-pages]",
                      argv[0]));
    }
    ++i;
  }
  return options;
}

Memory::Memory(int64_t bytes, bool small_pages) {
  constexpr int64_t kHugePage = int64_t{2} << 20;
  // Arrays begin at different offsets in a page, or loads wait for stores 4 KiB away.
  static int64_t stagger = 0;
  stagger = (stagger + 11 * 64) % 4096;
  mapped_ = (bytes + 4096 + kHugePage - 1) / kHugePage * kHugePage + kHugePage;
  region_ = mmap(nullptr, static_cast<size_t>(mapped_), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region_ == MAP_FAILED) stop("out of memory");
  madvise(region_, static_cast<size_t>(mapped_), small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  const auto address = reinterpret_cast<uintptr_t>(region_);
  const auto huge = static_cast<uintptr_t>(kHugePage);
  at_ =
      reinterpret_cast<void*>((address + huge - 1) / huge * huge + static_cast<uintptr_t>(stagger));
}

Memory::~Memory() { munmap(region_, static_cast<size_t>(mapped_)); }

Outcome duel(const Workload& work, const Settings& settings, int threads, const MakeDirect& make,
             const Options& options) {
  Outcome outcome;
  std::vector<std::vector<double>> direct_turns, harness_turns;
  const double block_ns = options.block_ms * 1e6;
  uint64_t salt = 1;
  for (int session = 0; session < options.sessions; ++session) {
    Client client = take(Client::start(BENCH_WORKER, kSeed, kDeadline));
    const auto prepared =
        take(client.prepare({.work = work, .settings = settings, .device = BENCH_DEVICE}, kDeadline));
    if (prepared.unsupported) stop(*prepared.unsupported);
    const Direct direct = make(prepared.copies);
    outcome.direct_kernel = direct.kernel;
    outcome.harness_kernel = prepared.kernel;
    const int64_t ops = ops_for(direct, prepared.copies, threads);
    const auto ours = [&] {
      direct_turns.push_back(settled(direct_turn(direct, prepared.copies, ops, threads, block_ns)));
    };
    const auto theirs = [&] {
      harness_turns.push_back(
          settled(harness_turn(client, prepared.handle, ops, salt++, block_ns)));
    };
    for (int round = 0; round < options.rounds; ++round) {
      ours();
      theirs();
      theirs();
      ours();
    }
    client.bye();
  }
  outcome.direct_ns = median(joined(direct_turns));
  outcome.harness_ns = median(joined(harness_turns));
  outcome.ratio = outcome.direct_ns / outcome.harness_ns;
  // Turns i of both sides are neighbours in time. Order statistics around the median of their
  // ratios: at least 95 % for 6 pairs and more.
  std::vector<double> ratios;
  for (size_t i = 0; i < direct_turns.size(); ++i) {
    ratios.push_back(median(direct_turns[i]) / median(harness_turns[i]));
  }
  std::sort(ratios.begin(), ratios.end());
  double tail = 0, term = 1;  // binomial(n, 1/2), by terms
  const auto n = static_cast<double>(ratios.size());
  for (double i = 0; i < n; ++i) term /= 2;
  size_t cut = 0;
  for (; cut + 1 < ratios.size() / 2; ++cut) {
    tail += term;
    const auto i = static_cast<double>(cut);
    term *= (n - i) / (i + 1);
    if (2 * (tail + term) > 0.05) break;
  }
  outcome.low = ratios[cut];
  outcome.high = ratios[ratios.size() - 1 - cut];
  return outcome;
}

void Table::add(const std::string& name, const Workload& work, const Outcome& outcome) {
  if (!begun_) {
    fmt::print(
        "\n{}\n\n| work | direct | harness | direct / harness | interval | direct calls | "
        "harness calls |\n|---|---:|---:|---:|---:|---|---|\n",
        title_);
    begun_ = true;
  }
  const Cost price = cost(work, {});
  const auto rate = [&](double ns) {
    return show_rate(price.rate_work() / ns * 1e9, price.rate_unit);
  };
  fmt::print("| {} | {} | {} | {:.3f} | {:.3f} to {:.3f} | {} | {} |\n", name,
             rate(outcome.direct_ns), rate(outcome.harness_ns), outcome.ratio, outcome.low,
             outcome.high, outcome.direct_kernel, outcome.harness_kernel);
  std::fflush(stdout);
  if (outcome.ratio < 0.97) lost_.push_back(name);
}

void Table::close() const {
  if (!begun_) return;
  if (lost_.empty()) {
    fmt::print("\nNo row where calling directly is more than 3 % faster.\n");
  } else {
    fmt::print("\nDirect calls are more than 3 % faster in: {}\n", fmt::join(lost_, ", "));
  }
}

int physical_cores() {
  Client client = take(Client::start(BENCH_WORKER, kSeed, kDeadline));
  int cores = 1;
  for (; cores < 4096; ++cores) {
    const auto answer = take(client.supports(
        {{.work = Stream{.bytes = 4096}, .settings = {.threads = cores + 1}, .device = BENCH_DEVICE}},
        kDeadline));
    if (answer.at(0)) break;
  }
  client.bye();
  return cores;
}

}  // namespace ridge::bench
