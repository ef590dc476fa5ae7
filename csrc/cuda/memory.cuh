// Memory of a GPU and of its host, with owners.
#pragma once

#include <memory>
#include <span>

#include "cuda/error.h"

namespace rtaudio {

struct DeviceDelete {
  void operator()(void* p) const { cudaFree(p); }
};
struct PinnedDelete {
  void operator()(void* p) const { cudaFreeHost(p); }
};

// Grows when it has to; what was in it is lost then.
template <class Delete>
class Bytes {
 public:
  char* get(std::size_t size) {
    if (size > size_) {
      memory_.reset();
      size_ = 0;
      void* p = nullptr;
      if constexpr (std::is_same_v<Delete, DeviceDelete>) {
        check_cuda(cudaMalloc(&p, size), "give memory");
      } else {
        check_cuda(cudaMallocHost(&p, size), "give memory");
      }
      memory_.reset(static_cast<char*>(p));
      size_ = size;
    }
    return memory_.get();
  }

 private:
  std::unique_ptr<char, Delete> memory_;
  std::size_t size_ = 0;
};
using DeviceBytes = Bytes<DeviceDelete>;
using PinnedBytes = Bytes<PinnedDelete>;

// A copy of a host's values on the GPU.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(std::span<const T> values) {
    auto* to = bytes_.get(std::max<std::size_t>(values.size_bytes(), 16));
    check_cuda(cudaMemcpy(to, values.data(), values.size_bytes(), cudaMemcpyHostToDevice),
               "take a model's weights");
    data_ = reinterpret_cast<const T*>(to);
  }
  const T* data() const { return data_; }

 private:
  DeviceBytes bytes_;
  const T* data_ = nullptr;
};

}  // namespace rtaudio
