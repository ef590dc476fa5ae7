#include "python/saved_state.h"

#include <cmath>
#include <stdexcept>
#include <vector>

namespace py = pybind11;

namespace rtaudio {
namespace {

using Array = py::array_t<float, py::array::c_style>;
using Doubles = py::array_t<double, py::array::c_style>;

std::string lane_name(std::size_t lane, const Session::StateTensor& tensor) {
  return "lane" + std::to_string(lane) + "." + tensor.name;
}

class Reader {
 public:
  explicit Reader(const std::map<std::string, py::array>& state) : state_(state) {}

  const py::array& get(const std::string& name) const {
    const auto found = state_.find(name);
    if (found == state_.end()) {
      throw std::invalid_argument("the saved state lacks '" + name + "'; it is not of this model");
    }
    return found->second;
  }

  std::vector<float> floats(const std::string& name) const {
    const Array a = Array::ensure(get(name));
    if (!a) fail(name, "is no array of float32");
    std::vector<float> values(a.data(), a.data() + a.size());
    for (const float v : values) {
      if (!std::isfinite(v)) fail(name, "holds values that are not finite");
    }
    return values;
  }

  [[noreturn]] static void fail(const std::string& name, const std::string& what) {
    throw std::invalid_argument("'" + name + "' in the saved state " + what +
                                "; save it anew from a stream that runs");
  }

 private:
  const std::map<std::string, py::array>& state_;
};

}  // namespace

py::dict to_dict(const Stream::Saved& saved) {
  py::dict state;
  const std::int64_t position[] = {saved.frames_in, saved.frames_out, saved.processing ? 1 : 0};
  state["position"] = py::array_t<std::int64_t>(3, position);
  Doubles ramps(std::vector<py::ssize_t>{static_cast<py::ssize_t>(saved.ramps.size()), 3});
  double* ramp = ramps.mutable_data();
  for (const Session::Ramp& r : saved.ramps) {
    *ramp++ = r.from;
    *ramp++ = r.to;
    *ramp++ = static_cast<double>(r.ticks);
  }
  state["ramps"] = ramps;
  state["pending"] = Array(static_cast<py::ssize_t>(saved.pending.size()), saved.pending.data());
  state["ready"] = Array(static_cast<py::ssize_t>(saved.ready.size()), saved.ready.data());
  for (std::size_t lane = 0; lane < saved.lanes.size(); ++lane) {
    for (const Session::StateTensor& t : saved.lanes[lane]) {
      state[py::str(lane_name(lane, t))] =
          Array(std::vector<py::ssize_t>{t.channels, t.frames}, t.values.data());
    }
  }
  return state;
}

Stream::Saved from_dict(const std::map<std::string, py::array>& state, const Stream::Saved& like) {
  const Reader reader(state);
  const py::array& where = reader.get("position");
  if (where.dtype().kind() != 'i' || where.size() != 3 || where.ndim() != 1) {
    Reader::fail("position", "is not three whole numbers");
  }
  const auto position = py::array_t<std::int64_t>::ensure(where);
  Stream::Saved saved{position.at(0),
                      position.at(1),
                      position.at(2) != 0,
                      reader.floats("pending"),
                      reader.floats("ready"),
                      {},
                      {}};
  const auto ramps = Doubles::ensure(reader.get("ramps"));
  if (!ramps || ramps.ndim() != 2 || ramps.shape(1) != 3) {
    Reader::fail("ramps", "is not three numbers a control");
  }
  for (py::ssize_t i = 0; i < ramps.shape(0); ++i) {
    const double ticks = ramps.at(i, 2);
    saved.ramps.push_back({static_cast<float>(ramps.at(i, 0)), static_cast<float>(ramps.at(i, 1)),
                           ticks >= 0 && ticks < 1e15 ? static_cast<std::int64_t>(ticks) : -1});
  }
  std::size_t num_names = 4;
  for (std::size_t lane = 0; lane < like.lanes.size(); ++lane) {
    auto& to = saved.lanes.emplace_back();
    for (const Session::StateTensor& t : like.lanes[lane]) {
      const std::string name = lane_name(lane, t);
      const py::array& a = reader.get(name);
      if (a.ndim() != 2 || a.shape(0) != t.channels || a.shape(1) != t.frames) {
        Reader::fail(name, "has another shape than this stream's");
      }
      to.push_back({t.name, t.channels, t.frames, reader.floats(name)});
      ++num_names;
    }
  }
  if (num_names != state.size()) {
    throw std::invalid_argument(
        "the saved state holds more than this stream does: it was made with more channels or by "
        "another model");
  }
  return saved;
}

}  // namespace rtaudio
