// Any lines as the requests that a worker gets: the SDK's session answers each, and every answer
// that is none of an error is one that the client reads.

#include "worker/sdk/session.h"

#include <cstring>
#include <stdexcept>

#include "fuzz.h"
#include "worker/sdk/host_op.h"

using namespace ridge;
using namespace ridge::sdk;
using fuzz::require;

namespace {

// Copies. Whoever asks for 2^60 ops in a sample may wait for them, a fuzzer may not.
class CopyOp : public HostOp {
 public:
  CopyOp(const Task& task, Arena& arena, int* ops_left)
      : HostOp(task, arena, [](int64_t n, const auto& body) { body(0, n); }), ops_left_(ops_left) {}
  void run(int64_t copy) override {
    if (--*ops_left_ < 0) throw std::runtime_error("that is enough");
    std::memcpy(data("c", copy), data("a", copy),
                static_cast<size_t>(std::get<Stream>(task().work).bytes));
  }

 private:
  int* ops_left_;
};

class CopyWorker : public Worker {
 public:
  Description describe() override {
    return {"copier",
            {{"copy", "1"}},
            {{.id = "0", .name = "x", .memory_bytes = 1 << 16, .cache_bytes = 4096}}};
  }
  Result<void> supports(const Workload& work, const Settings&, std::string_view) override {
    const auto* stream = std::get_if<Stream>(&work);
    if (!stream || stream->op != Stream::Op::copy) return Error{"copies only"};
    return {};
  }
  Result<std::unique_ptr<Op>> prepare(const Task& task) override {
    return std::unique_ptr<Op>(std::make_unique<CopyOp>(task, arena_, &ops_left_));
  }

 private:
  int ops_left_ = 1000;
  Arena arena_{int64_t{1} << 24};
};

// The client must be able to read it.
void require_readable(const std::string& verb, const Json& request, const Json& reply) {
  const bool readable = verb == "hello"     ? protocol::parse_hello(reply).ok()
                        : verb == "prepare" ? protocol::parse_prepared(reply).ok()
                        : verb == "check"   ? protocol::parse_checked(reply).ok()
                        : verb == "time"    ? protocol::parse_timed(reply).ok()
                                            : true;
  require(readable, "a reply can be read", reply.dump());
  if (verb == "supports") {
    require(reply.find("supports")->as_array().size() == request.find("list")->as_array().size(),
            "as many answers as questions");
  }
  if (verb == "check") {
    require(reply.find("values")->as_array().size() == request.find("elements")->as_array().size(),
            "as many values as elements");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CopyWorker worker;
  const std::atomic<int64_t> cancelled{1};  // one sample is enough of every `time`
  Session session(worker, cancelled);
  std::string_view text = fuzz::text_of(data, size);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    auto request = Json::parse(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!request) continue;
    const Json reply = session.answer(1, *request, [](const Json& event) {
      require(*event.find("event") == Json("started") || protocol::parse_samples(event).ok(),
              "an event can be read", event.dump());
    });
    const Json* verb = request->find("do");
    const int kinds = (reply.find("ok") != nullptr) + (reply.find("error") != nullptr) +
                      (reply.find("unsupported") != nullptr);
    require(kinds == 1, "a reply is ok, an error or unsupported", reply.dump());
    if (!reply.find("error")) require_readable(verb->as_string(), *request, reply);
  }
  return 0;
}
