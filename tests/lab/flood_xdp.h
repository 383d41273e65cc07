// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <expected>
#include <string>

#include "tests/lab/flood_packet.h"

namespace synward::lab {

struct FloodBounds {
  std::uint64_t rate_pps = 0;  // 0: as fast as it goes
  std::uint64_t count = 0;
  double seconds = 0;
};

struct Sent {
  std::uint64_t frames = 0;
  double seconds = 0;
};

// Sends by repeating an XDP program over live frames (BPF_PROG_TEST_RUN): several times faster than
// a packet socket, but it keeps its core busy whatever the rate. Ends at a signal too. The program
// is read from flood.bpf.o beside this executable.
std::expected<Sent, std::string> run_xdp_flood(const FrameMaker& maker, const LabInterface& link,
                                               const FloodBounds& bounds);

}  // namespace synward::lab
