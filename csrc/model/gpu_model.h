// What the sessions of a model share on a GPU: its weights, and whether the GPU has failed.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cuda/queue.h"

namespace rtaudio {

// Copies of a model's tables and weights in the device's memory, by where the host's are.
class DeviceTables {
 public:
  explicit DeviceTables(gpu::Queue& queue) : queue_(queue) {}
  // `host` stays where it is, with what is in it.
  const char* take(const void* host, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<char>& table = tables_[host];
    if (table == nullptr) {
      table = queue_.allocate(bytes);
      if (bytes > 0) queue_.write(table.get(), host, bytes);
      queue_.finish();  // sessions read it on queues of their own
    }
    return table.get();
  }

 private:
  gpu::Queue& queue_;
  std::mutex mutex_;
  std::map<const void*, std::shared_ptr<char>> tables_;
};

class GpuModel {
 public:
  // Throws std::runtime_error where there is no GPU. `emulated`: the host in its place.
  GpuModel(bool emulated, bool tensor_cores)
      : emulated_(emulated), tensor_cores_(tensor_cores), queue_(make_queue()), tables_(*queue_) {}

  std::unique_ptr<gpu::Queue> make_queue() const {
    return emulated_ ? gpu::make_host_queue() : gpu::make_gpu_queue();
  }
  DeviceTables& tables() { return tables_; }
  // Whether sums may come in the order of tensor cores.
  bool tensor_cores() const { return tensor_cores_; }

  void fail(const char* what) {
    const std::lock_guard lock(mutex_);
    if (fault_.empty()) fault_ = what;
  }
  std::string fault() const {
    const std::lock_guard lock(mutex_);
    return fault_;
  }

 private:
  bool emulated_, tensor_cores_;
  std::unique_ptr<gpu::Queue> queue_;
  DeviceTables tables_;
  mutable std::mutex mutex_;
  std::string fault_;
};

}  // namespace rtaudio
