#include "live/port_audio.h"

namespace rtaudio {

extern "C" int rtaudio_port_audio_callback(const void* input, void* output, unsigned long frames,
                                           const PortAudioTimes*, unsigned long flags,
                                           void* user_data) noexcept {
  static_cast<Engine*>(user_data)->process(static_cast<const float*>(input),
                                           static_cast<float*>(output),
                                           static_cast<std::int64_t>(frames), flags);
  return 0;
}

extern "C" int rtaudio_speaker_callback(const void*, void* output, unsigned long frames,
                                        const PortAudioTimes*, unsigned long flags,
                                        void* user_data) noexcept {
  constexpr unsigned long kOutputUnderflow = 4;
  static_cast<SpeakerQueue*>(user_data)->process(static_cast<float*>(output),
                                                 static_cast<std::int64_t>(frames),
                                                 (flags & kOutputUnderflow) != 0);
  return 0;
}

extern "C" int rtaudio_port_audio_capture(const void* input, void*, unsigned long frames,
                                          const PortAudioTimes*, unsigned long flags,
                                          void* user_data) noexcept {
  static_cast<TwoClocks*>(user_data)->capture(static_cast<const float*>(input),
                                              static_cast<std::int64_t>(frames), flags);
  return 0;
}

extern "C" int rtaudio_port_audio_play(const void*, void* output, unsigned long frames,
                                       const PortAudioTimes*, unsigned long flags,
                                       void* user_data) noexcept {
  static_cast<TwoClocks*>(user_data)->play(static_cast<float*>(output),
                                           static_cast<std::int64_t>(frames), flags);
  return 0;
}

}  // namespace rtaudio
