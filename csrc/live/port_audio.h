// The functions that PortAudio calls. Their interface is fixed, so neither its header nor its
// library is needed: sounddevice opens the stream with the address of such a function.
#pragma once

#include "live/engine.h"
#include "live/speaker_queue.h"
#include "live/two_clocks.h"

namespace rtaudio {

struct PortAudioTimes {
  double input;
  double current;
  double output;
};

// PaStreamCallback; `user_data` is an Engine. Always 0 (paContinue): Python ends the stream.
extern "C" int rtaudio_port_audio_callback(const void* input, void* output, unsigned long frames,
                                           const PortAudioTimes* times, unsigned long flags,
                                           void* user_data) noexcept RTA_NONBLOCKING;

// Of two streams, one in and one out; `user_data` is a TwoClocks.
extern "C" int rtaudio_port_audio_capture(const void* input, void* output, unsigned long frames,
                                          const PortAudioTimes* times, unsigned long flags,
                                          void* user_data) noexcept RTA_NONBLOCKING;
extern "C" int rtaudio_port_audio_play(const void* input, void* output, unsigned long frames,
                                       const PortAudioTimes* times, unsigned long flags,
                                       void* user_data) noexcept RTA_NONBLOCKING;

// Of a stream without input; `user_data` is a SpeakerQueue.
extern "C" int rtaudio_speaker_callback(const void* input, void* output, unsigned long frames,
                                        const PortAudioTimes* times, unsigned long flags,
                                        void* user_data) noexcept RTA_NONBLOCKING;

}  // namespace rtaudio
