// mikeoliphant/NeuralAudio: nam_neural_audio FILE.nam (A1 "standard").
#include <NeuralAudio/WaveNet.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "json.hpp"
#include "nam_bench.h"

using namespace NeuralAudio;
using D = Dilations<1, 2, 4, 8, 16, 32, 64, 128, 256, 512>;
using K = KernelSizes<3, 3, 3, 3, 3, 3, 3, 3, 3, 3>;
using Net =
    WaveNetModelT<float,
                  WaveNetLayerArrayT<float, 1, 1, 8, 1, 1, 16, K, D, false, EActivationType::Tanh>,
                  WaveNetLayerArrayT<float, 16, 1, 1, 1, 1, 8, K, D, true, EActivationType::Tanh>>;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  nlohmann::json file;
  std::ifstream(argv[1]) >> file;
  for (const int block : peers::kBlocks) {
    const auto net = std::make_unique<Net>();
    net->SetWeights(file.at("weights"));
    net->Prewarm();
    const auto most = static_cast<int>(net->GetMaxFrames());
    peers::time_blocks("NeuralAudio", block, [&](float* x, float* y, int frames) {
      for (int t = 0; t < frames; t += most) {
        net->Process(x + t, y + t, static_cast<std::size_t>(std::min(frames - t, most)));
      }
    });
  }
}
