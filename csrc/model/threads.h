// One stream's work shared by several threads, with the bits of one.
#pragma once

#include "model/session.h"

namespace rtaudio {

// process() of a session of one lane, for any number of ticks: pieces of max_ticks go through the
// model's parts one behind the other, each taken by the next of session.threads(). A piece may be
// at a part as soon as the piece before it has left that part, so every state sees the same calls
// in the same order as with one thread. Starts threads and waits for them: not for a real-time
// thread.
void process_in_threads(Session& session, const float* input, float* output,
                        int num_ticks) noexcept;

}  // namespace rtaudio
