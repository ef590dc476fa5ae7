// Counts what a real-time thread must not do: allocate, free, lock, wait. Only in builds without a
// sanitizer (theirs are the functions that are counted here); RealtimeSanitizer does the same.
#pragma once

#include <cstdint>

namespace rtaudio {

bool can_count_blocking_calls();
// Calls by this thread so far.
std::int64_t num_blocking_calls();

}  // namespace rtaudio
