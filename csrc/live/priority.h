// The calling thread's place in the queue for the processor.
#pragma once

namespace rtaudio {

enum class Priority : int { unknown = 0, already = 1, raised = 2, refused = 3 };

constexpr int kCallbackPriority = 70;
constexpr int kWorkerPriority = 60;  // below the audio server's threads, above everything else

// Asks for real-time scheduling at `level` (1 to 99) unless the thread has it.
Priority raise_priority(int level) noexcept;

// The calling thread's name, for debuggers and `top -H`.
void name_thread(const char* name) noexcept;

}  // namespace rtaudio
