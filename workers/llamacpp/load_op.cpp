#include "load_op.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "synthetic.h"
#include "worker/sdk/page_cache.h"

namespace ridge::llamacpp {

LoadModelOp::LoadModelOp(const sdk::Task& task, Engine& engine, const Place& place, int threads,
                         int cores)
    : task_(task), cache_(task.settings.cache), engine_(engine), place_(place), threads_(threads) {
  const LoadModel& load = std::get<LoadModel>(task.work);
  task_.work = prompt_of(load);
  if (load.use.file) {
    path_ = name_ = load.use.file->path;
    bytes_ = static_cast<int64_t>(std::filesystem::file_size(path_));
    file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0) throw std::system_error(errno, std::generic_category(), path_);
  } else {
    const Lies where = cache_ == CacheMode::cold ? Lies::on_disk : Lies::in_memory;
    made_ = synthetic_file(load.use, task.seed, cores, where);
    path_ = made_->path();
    name_ = load.use.model.name;
    bytes_ = static_cast<int64_t>(std::filesystem::file_size(path_));
  }
}

LoadModelOp::~LoadModelOp() {
  prompt_.reset();
  if (file_ >= 0) ::close(file_);
}

void LoadModelOp::fill(const InputSource& inputs) {
  inputs_ = inputs;
  before(0);
}

void LoadModelOp::before(int64_t) {
  prompt_.reset();
  sdk::make_pages(made_ ? made_->file() : file_, bytes_, cache_);
}

void LoadModelOp::run(int64_t) {
  prompt_.reset();  // two may not fit
  auto model = std::make_shared<const Model>(load_file(path_, name_, place_));
  prompt_ = std::make_unique<ModelOp>(task_, engine_, std::move(model), place_, threads_);
  prompt_->fill(inputs_);
  prompt_->run(0);
  prompt_->wait();
}

std::vector<double> LoadModelOp::read(std::string_view tensor, int64_t copy,
                                      std::span<const int64_t> elements) {
  if (prompt_) return prompt_->read(tensor, copy, elements);
  return std::vector<double>(elements.size(), std::numeric_limits<double>::quiet_NaN());
}

sdk::OpInfo LoadModelOp::info() const {
  sdk::OpInfo info;
  if (prompt_) info = prompt_->info();
  info.kernel = "llama_model_load_from_file, llama_decode";
  info.notes.push_back(
      made_ ? fmt::format("its file lies {}",
                          cache_ == CacheMode::cold
                              ? "in " + std::filesystem::temp_directory_path().string()
                              : "in memory")
            : "its file: " + path_);
  return info;
}

}  // namespace ridge::llamacpp
