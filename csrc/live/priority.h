// The calling thread's place in the queue for the processor.
#pragma once

namespace rtaudio {

enum class Priority : int { unknown = 0, already = 1, raised = 2, refused = 3 };

// Asks for real-time scheduling at `level` (1 to 99) unless the thread has it.
Priority raise_priority(int level) noexcept;

}  // namespace rtaudio
