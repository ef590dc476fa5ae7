#include "model/placement.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace rtaudio {
namespace {

std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }

struct Place {
  int channels;
  std::size_t floats;
  std::size_t offset;
  bool free;
};

class Places {
 public:
  explicit Places(std::size_t max_floats) : max_floats_(max_floats) {}

  std::size_t take(int channels, std::size_t floats) {
    Place* best = nullptr;
    for (Place& place : places_) {
      if (!place.free || place.channels != channels || place.floats < floats) continue;
      if (best == nullptr || place.floats < best->floats) best = &place;
    }
    if (best != nullptr) {
      best->free = false;
      return best->offset;
    }
    places_.push_back({channels, floats, floats_, false});
    floats_ = checked_sum(floats_, floats, max_floats_);
    return places_.back().offset;
  }
  void leave(std::size_t offset) {
    std::find_if(places_.begin(), places_.end(), [offset](const Place& place) {
      return place.offset == offset;
    })->free = true;
  }
  std::size_t floats() const { return floats_; }

 private:
  std::size_t max_floats_;
  std::size_t floats_ = 0;
  std::vector<Place> places_;
};

}  // namespace

std::size_t checked_sum(std::size_t total, std::size_t floats, std::size_t limit) {
  if (floats > limit || total + aligned(floats) > limit) {
    throw std::length_error("this model's state is larger than " +
                            std::to_string(limit * sizeof(float) >> 20) +
                            " MiB; use fewer lanes or a smaller model");
  }
  return total + aligned(floats);
}

Placement place_buffers(const Model& model, int num_ticks, std::size_t max_floats) {
  const std::vector<Model::Operation>& operations = model.operations();
  const std::size_t never = operations.size();
  std::vector<std::size_t> last_reader(model.buffers().size(), never);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    for (const int input : operations[i].inputs) last_reader[static_cast<std::size_t>(input)] = i;
  }
  last_reader[static_cast<std::size_t>(model.output_buffer())] = never;
  Placement placement{std::vector<std::size_t>(model.buffers().size(), 0), 0};
  Places places(max_floats);
  const auto take = [&](int buffer) {
    const BufferSpec& b = model.buffers()[static_cast<std::size_t>(buffer)];
    const auto frames = static_cast<std::size_t>(b.frames) * static_cast<std::size_t>(num_ticks);
    placement.offsets[static_cast<std::size_t>(buffer)] =
        places.take(b.channels, frames * static_cast<std::size_t>(row_floats(b.channels)) + 16);
  };
  take(model.input_buffer());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    take(operations[i].output);
    for (const int input : operations[i].inputs) {
      const auto buffer = static_cast<std::size_t>(input);
      if (last_reader[buffer] == i) places.leave(placement.offsets[buffer]);
    }
  }
  placement.floats = places.floats();
  return placement;
}

}  // namespace rtaudio
