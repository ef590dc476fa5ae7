// What bringing one operation's numbers, tensors and buffers into line takes (fit_program.h).
#pragma once

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "program_text.h"

namespace rtaudio::fuzz {

class FitTools {
 protected:
  FitTools(ProgramText& program, std::minstd_rand& random) : p_(program), random_(random) {}

  static constexpr std::int64_t kMost = 1 << 16;
  using Shape = std::vector<std::int64_t>;

  bool known(int buffer) const {
    return buffer >= 0 && static_cast<std::size_t>(buffer) < p_.spec.buffers.size();
  }

  // The operation's number, brought into range; a random one where it is missing.
  int number(const std::string& name, std::int64_t low, std::int64_t high) {
    const std::int64_t span = std::min<std::int64_t>(4, high - low + 1);
    const std::int64_t fresh = low + static_cast<std::int64_t>(random_() % 100) % span;
    std::int64_t& value = op_->ints.try_emplace(name, fresh).first->second;
    value = value < low || value > high ? fresh : value;
    return static_cast<int>(value);
  }
  int fixed(const std::string& name, std::int64_t value) {
    op_->ints[name] = value;
    return static_cast<int>(value);
  }
  void real(const std::string& name) { op_->floats.try_emplace(name, 0.25); }

  void tensor(const std::string& slot, const Shape& shape, int fill = -1) {
    std::string& name = op_->tensors[slot];
    auto found = std::find_if(p_.tensors.begin(), p_.tensors.end(),
                              [&](const TensorText& t) { return t.name == name; });
    if (name.empty() || found == p_.tensors.end()) {
      name = "t" + std::to_string(p_.tensors.size()) + "." + slot;
      p_.tensors.push_back({name, 0, 0, {}});
      found = p_.tensors.end() - 1;
    }
    *found = {name, fill >= 0 ? fill : found->fill, 0, shape};
  }

  void per_channel(const std::vector<const char*>& slots, int channels) {
    for (const char* slot : slots) tensor(slot, {channels});
  }

  void down(int stride) {
    if (in_.frames % stride != 0) {
      BufferSpec& source = p_.spec.buffers[static_cast<std::size_t>(
          known(p_.spec.input) ? p_.spec.input : op_->inputs[0])];
      grown_ = source.frames > 0 && source.frames <= kMost / stride;
      if (grown_) source.frames *= stride;
    }
    out_.frames = std::max(1, in_.frames / stride);
  }
  void up(int factor) {
    out_.frames = static_cast<int>(std::min(kMost, in_.frames * std::int64_t{factor}));
  }
  void window(int stride) {
    number("tail", 0, 1 << 20);
    number("extra", 0, 1 << 20);
    down(stride);
  }

  int divisor(const std::string& name, int of) {
    return fixed(name, std::gcd(number(name, 1, kMost), of));
  }

  ProgramText& p_;
  std::minstd_rand& random_;
  OperationSpec* op_ = nullptr;
  BufferSpec in_{}, out_{};
  bool grown_ = false;
};

}  // namespace rtaudio::fuzz
