// Where a model's signals stand in memory while a call goes through it.
#pragma once

#include <cstddef>
#include <vector>

#include "model/model.h"

namespace rtaudio {

struct Placement {
  std::vector<std::size_t> offsets;  // of each buffer
  std::size_t floats = 0;            // in all
};

// Places for `num_ticks` of each buffer. A buffer takes the place of one that nothing reads any
// more, so that a long model's signals stay in the cache; of one with as many channels, so that
// what fills rows up to whole vectors stays such. Throws std::length_error above `max_floats`.
Placement place_buffers(const Model& model, int num_ticks, std::size_t max_floats);

// The sum, with `floats` rounded up to whole vectors. Throws std::length_error above `limit`.
std::size_t checked_sum(std::size_t total, std::size_t floats, std::size_t limit);

}  // namespace rtaudio
