// sdatkinson/NeuralAmpModelerCore: nam_core FILE.nam. C++20, with NAM/*.cpp and NAM/wavenet/*.cpp,
// Eigen and nlohmann/json; -DNAM_SAMPLE_FLOAT.
#include "NAM/activations.h"
#include "NAM/dsp.h"
#include "NAM/get_dsp.h"
#include "nam_bench.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  nam::activations::Activation::enable_fast_tanh();
  for (const int block : peers::kBlocks) {
    const auto model = nam::get_dsp(std::filesystem::path(argv[1]));
    model->Reset(48000, block);
    model->prewarm();
    peers::time_blocks("NAM Core", block,
                       [&](float* x, float* y, int frames) { model->process(&x, &y, frames); });
  }
}
