// SPDX-License-Identifier: GPL-2.0-or-later
//
// A bounded flood of SYNs, or of segments that redeem nothing, for the lab and for nothing else:
// see guard.h. A packet socket past the queueing discipline, cheap at a bounded rate; XDP live
// frames where millions a second are wanted. Ends by itself and prints what it sent as JSON.
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "tests/lab/flood_packet.h"
#include "tests/lab/flood_xdp.h"
#include "tests/lab/guard.h"

namespace {

using namespace synward::lab;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
// Above this a packet socket may not keep up.
constexpr std::uint64_t kPacketSocketPps = 400'000;
constexpr double kMaxSeconds = 600;
constexpr std::uint64_t kMaxCount = 2'000'000'000;

const std::map<std::string, Kind> kKinds{
    {"syn", Kind::syn}, {"ack", Kind::ack}, {"syn-ack", Kind::syn_ack}, {"rst", Kind::rst}};

volatile std::sig_atomic_t stop_requested = 0;
void on_signal(int) {
  stop_requested = 1;
}

struct Arguments {
  std::string interface = "c0";
  std::string target;
  std::string sources;
  std::string mode = "syn";
  std::string engine = "auto";
  FloodBounds bounds{.rate_pps = 0, .count = kMaxCount, .seconds = 10};
  std::uint64_t seed = 1;
};

int fail(const std::string& what) {
  std::fprintf(stderr, "flood: refused: %s\n", what.c_str());
  return 1;
}

int open_socket(int interface_index) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: receives nothing
  if (fd < 0) return -1;
  const int on = 1;
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_ifindex = interface_index;
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&link), sizeof link) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

class Flood {
 public:
  Flood(int fd, const FrameMaker& maker, const FloodBounds& bounds)
      : fd_(fd), maker_(maker), bounds_(bounds) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      maker_.prepare(frames_[i]);
      parts_[i] = {frames_[i].data(), maker_.length()};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  Sent run() {
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(bounds_.seconds));
    std::uint64_t sent = 0;
    while (stop_requested == 0 && sent < bounds_.count) {
      const auto now = Clock::now();
      if (now >= end) break;
      const std::size_t due = frames_due(std::chrono::duration<double>(now - start).count(), sent);
      if (due == 0) {
        const timespec nap{0, 200'000};
        nanosleep(&nap, nullptr);
        continue;
      }
      sent += send(due);
    }
    return {sent, std::chrono::duration<double>(Clock::now() - start).count()};
  }

 private:
  std::size_t frames_due(double elapsed, std::uint64_t sent) const {
    std::uint64_t limit = bounds_.count - sent;
    if (bounds_.rate_pps != 0) {
      const auto schedule =
          static_cast<std::uint64_t>(elapsed * static_cast<double>(bounds_.rate_pps));
      limit = std::min(limit, schedule > sent ? schedule - sent : 0);
    }
    return std::min<std::uint64_t>(limit, kBatch);
  }

  std::size_t send(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) maker_.refresh(frames_[i]);
    const int done = sendmmsg(fd_, messages_.data(), static_cast<unsigned>(count), 0);
    if (done > 0) return static_cast<std::size_t>(done);
    // The other end's ring is full: those frames are lost on the wire, as in a real flood.
    if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) stop_requested = 1;
    return 0;
  }

  int fd_;
  FrameMaker maker_;
  FloodBounds bounds_;
  std::array<FrameMaker::Frame, kBatch> frames_{};
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> messages_{};
};

void describe(CLI::App& app, Arguments& arguments) {
  app.add_option("--interface", arguments.interface, "the lab client's interface")
      ->capture_default_str();
  app.add_option("--target", arguments.target, "ADDRESS:PORT of a lab backend")->required();
  app.add_option("--sources", arguments.sources, "PREFIX of spoofed sources");
  app.add_option("--mode", arguments.mode, "syn, or what acknowledges nothing: ack, syn-ack, rst")
      ->check(CLI::IsMember(kKinds));
  app.add_option("--rate", arguments.bounds.rate_pps, "frames per second; 0: as fast as it goes");
  app.add_option("--count", arguments.bounds.count, "frames to send")->check(CLI::Range(kMaxCount));
  app.add_option("--seconds", arguments.bounds.seconds, "longest run")
      ->check(CLI::Range(0.0, kMaxSeconds));
  app.add_option("--engine", arguments.engine, "packet, xdp, or auto: by the rate")
      ->check(CLI::IsMember({"auto", "packet", "xdp"}));
  app.add_option("--seed", arguments.seed, "of the random numbers");
}

std::expected<Sent, std::string> send(const Arguments& arguments, const FrameMaker& maker,
                                      const LabInterface& link) {
  const auto rate = arguments.bounds.rate_pps;
  const bool fast = rate == 0 || rate > kPacketSocketPps;
  if (arguments.engine == "xdp" || (arguments.engine == "auto" && fast))
    return run_xdp_flood(maker, link, arguments.bounds);
  const int fd = open_socket(link.index);
  if (fd < 0) return std::unexpected("no packet socket (not root?)");
  Flood generator(fd, maker, arguments.bounds);
  const Sent sent = generator.run();
  close(fd);
  return sent;
}

int flood(const Arguments& arguments) {
  const auto link = require_lab(arguments.interface);
  if (!link) return fail(link.error());
  const auto target = parse_target(arguments.target);
  if (!target) return fail(target.error());
  const std::string whole = target->is_ipv6 ? "2001:db8:f::/48" : "198.18.0.0/15";
  const auto sources = parse_prefix(arguments.sources.empty() ? whole : arguments.sources);
  if (!sources) return fail(sources.error());
  if (const auto allowed = require_lab_traffic(*target, *sources); !allowed)
    return fail(allowed.error());

  const Kind kind = kKinds.at(arguments.mode);
  const FrameMaker maker({*link, *target, *sources, kind, arguments.seed});
  const auto sent = send(arguments, maker, *link);
  if (!sent) {
    std::fprintf(stderr, "flood: %s\n", sent.error().c_str());
    return 1;
  }
  std::printf("{\"sent\": %llu, \"seconds\": %.6f}\n",
              static_cast<unsigned long long>(sent->frames), sent->seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  std::signal(SIGALRM, on_signal);
  Arguments arguments;
  CLI::App app{"Bounded SYN or ACK flood inside synward's test lab"};
  describe(app, arguments);
  CLI11_PARSE(app, argc, argv);
  return flood(arguments);
}
