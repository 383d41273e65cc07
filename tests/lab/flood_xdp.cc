// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/flood_xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>

#include "tests/lab/flood_state.h"

namespace synward::lab {
namespace {

using Clock = std::chrono::steady_clock;

struct Closer {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, Closer>;

Object load() {
  const auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "flood.bpf.o";
  Object object(bpf_object__open_file(path.c_str(), nullptr));
  if (!object || bpf_object__load(object.get()) != 0) return nullptr;
  return object;
}

void ring_after(double seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(seconds);
  timer.it_value.tv_usec = static_cast<suseconds_t>(std::fmod(seconds, 1.0) * 1e6);
  if (seconds > 0 && timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0)
    timer.it_value.tv_usec = 1;
  setitimer(ITIMER_REAL, &timer, nullptr);
}

// One call lasts until the frames are sent, or until SIGALRM (or any other signal) interrupts it.
int repeat(int program, const FrameMaker& maker, const LabInterface& link, std::uint64_t times) {
  FrameMaker::Frame frame{};
  maker.prepare(frame);
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(maker.length());
  context.ingress_ifindex = static_cast<std::uint32_t>(link.index);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<std::uint32_t>(maker.length()), .ctx_in = &context,
              .ctx_size_in = sizeof context,
              .repeat = static_cast<int>(std::min<std::uint64_t>(times, 1U << 30)),
              .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
  return bpf_prog_test_run_opts(program, &options);
}

}  // namespace

std::expected<Sent, std::string> run_xdp_flood(const FrameMaker& maker, const LabInterface& link,
                                               const FloodBounds& bounds) {
  const Object object = load();
  if (!object) return std::unexpected("cannot load flood.bpf.o beside this program");
  const int program = bpf_program__fd(bpf_object__find_program_by_name(object.get(), "flood"));
  const int map = bpf_object__find_map_fd_by_name(object.get(), "state_map");
  flood_state state = maker.state();
  state.frames_max = bounds.count;
  state.rate_pps = bounds.rate_pps;
  const std::uint32_t key = 0;
  if (bpf_map_update_elem(map, &key, &state, BPF_ANY) != 0)
    return std::unexpected("cannot write the program's settings");

  // At a bounded rate most repeats send nothing: the timer ends it.
  const std::uint64_t times = bounds.rate_pps == 0 ? bounds.count : 1U << 30;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  ring_after(bounds.seconds);
  const int result = repeat(program, maker, link, times);
  ring_after(0);
  const Sent done{0, elapsed()};
  if (result != 0 && result != -EINTR)
    return std::unexpected(std::string("BPF_PROG_TEST_RUN: ") + std::strerror(-result));
  if (bpf_map_lookup_elem(map, &key, &state) != 0)
    return std::unexpected("cannot read what was sent");
  return Sent{state.sent, done.seconds};
}

}  // namespace synward::lab
